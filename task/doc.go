// Package task runs straight-line code on a loop: what coroutines are in asyncio, Trio and gevent.
//
// A task is a function that runs on a loop and may wait. Where it waits ([Await], [Sleep], a lock, a queue, a
// stream) it stops, the loop goes on with whatever else there is, and when the time has come the task goes on
// where it was. Between two waits it has the loop to itself, so tasks on one loop need no locks for what they share.
//
//	words, err := task.Run(func(t *task.Task) ([]string, error) {
//		say := func(word string) *rondo.Future[string] {
//			return task.Spawn(t, func(t *task.Task) (string, error) { return word, task.Sleep(t, time.Millisecond) })
//		}
//		return task.Gather(t, say("hello"), say("world")) // both sleep at the same time
//	})
//
// # Tasks are coroutines
//
// A task has a goroutine, since it needs a stack, but not a thread of control of its own: its goroutine runs only
// while the loop waits for it (package iter's Pull), and the switch costs less than half of what handing over to
// another goroutine by a channel does. A task must therefore wait only by way of this package and those over it: a
// channel, a sync.Mutex or time.Sleep would stop the whole loop. In debug and race builds that is found out if it lasts for
// more than some 150 ms, and reported with the place. What must block goes through [rondo.Run].
//
// iter.Pull runs its iterator on another goroutine: over [AsCompleted], or a queue's All, it is not the task that waits there, and in debug builds it is
// refused. Use a range loop.
//
// What needs an operating system's thread of its own goes through [rondo.Run] too. A task that has called runtime.LockOSThread and then waits ends the whole
// process ("coro: OS thread locking must match locking at coroutine creation"), and nobody can prevent it.
//
// # Cancelling
//
// A task is cancelled through its future ([rondo.Future.Cancel]), by the [Group] it belongs to, by a timeout, or by the
// end of its engine. The wait in which it is then, or else the next one, returns the reason as its error, and what it
// waited for is told: a future that nobody else waits for is cancelled too. A cancellation is delivered once. What
// the task waits for afterwards, to clean up, is waited for; [Task.Err] still says that it was cancelled. A task
// that is cancelled before it has begun does not begin.
//
// # Nothing is lost
//
// The error of a task is its future's, and if nobody looks at it, it is reported. A panic is an error likewise, a
// [*rondo.PanicError] with the task's stack. [WithGroup] does not return before its children have ended.
//
// # Who may call what
//
// Functions that take a *Task are called by that task. [Go], [Run] and [List] are for any goroutine; all else is for
// code that runs on the loop. As a context.Context a *Task may be used by any goroutine.
package task
