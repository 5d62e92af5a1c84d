// Package queue has queues between tasks, and between tasks and goroutines: what asyncio.Queue is, and Go's channels.
//
// A [Queue] belongs to a loop. Tasks of that loop, and callbacks on it, use it without a lock:
//
//	q := queue.New[string](t.Loop(), 64)
//	task.Spawn(t, func(t *task.Task) (int, error) {
//		defer q.Close()
//		return 0, q.Put(t, "an item")
//	})
//	for item, err := range q.All(t) {
//		...
//	}
//
// All others use its [Handle].
//
// # Order
//
// What is put first is got first ([New]), or last ([NewLIFO]), or what comes first by a given order ([NewPriority]). Those who wait are served in the
// order in which they came, in every kind of queue, and nobody overtakes them: an item goes directly to whoever waits
// for one, and room to whoever waits for that.
//
// # Nothing is lost
//
// A task that is cancelled while it waits leaves the line; if it had been served, in the same turn of the loop, the call
// succeeds, and the next wait returns the reason. The same holds for a goroutine whose context ends. So an item whose Put
// returned nil is got exactly once, and one whose Put returned an error never.
//
// # The end
//
// After [Queue.Close] nothing can be put; what is there can still be got, and then Get returns [ErrClosed].
// Separately, [Queue.Join] waits until everything that was got has been reported done ([Queue.TaskDone]).
package queue
