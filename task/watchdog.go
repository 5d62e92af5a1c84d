package task

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/goid"
)

// watchdog finds tasks that wait for something else than the loop, and so stop the loop and all that runs on it. It
// works in debug and race builds. A task that computes for long is not its business: only the state of the goroutine
// tells the two apart.
type watchdog struct {
	loop *rondo.Loop
	quit chan struct{}

	mu   sync.Mutex
	ids  map[*worker]uint64 // of their goroutines
	at   place              // what runs now; the zero place: nothing
	seen place              // what ran when the dog last looked
	told bool               // about seen

	stack string // of seen, if it was waiting then; the dog's own
}

// place is one stretch of a task, from resume to suspend.
type place struct {
	goroutine uint64 // zero: none
	turn      uint64
}

// watchPeriod is how often the dog looks. A task must be in one place for three looks, and wait in the same call at the last two: the dog
// stops the world to look, and what happens to wait for that, or for a system call that ends, is not what it is after.
const watchPeriod = 50 * time.Millisecond

func newWatchdog(l *rondo.Loop) *watchdog {
	d := &watchdog{loop: l, quit: make(chan struct{}), ids: map[*worker]uint64{}}
	go d.run()
	return d
}

// adopt is called by a new coroutine as it begins to run, forget when it ends.
func (d *watchdog) adopt(w *worker) {
	id := goid.Get()
	d.mu.Lock()
	d.ids[w] = id
	d.mu.Unlock()
	d.enter(w)
}

func (d *watchdog) forget(w *worker) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.ids, w)
}

// enter is called before a task is resumed, leave after it has stopped. before is who goes on then, if it was a task that
// has resumed it.
func (d *watchdog) enter(w *worker) { d.move(w) }

func (d *watchdog) leave(before *fiber) {
	if before == nil {
		d.move(nil)
	} else {
		d.move(before.worker)
	}
}

func (d *watchdog) move(w *worker) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at.turn++
	d.at.goroutine = d.ids[w]
}

func (d *watchdog) end() { close(d.quit) }

func (d *watchdog) run() {
	ticker := time.NewTicker(watchPeriod) // a blocked goroutine is blocked in real time, whatever the loop's clock says
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			d.look()
		case <-d.quit:
			return
		}
	}
}

func (d *watchdog) look() {
	d.mu.Lock()
	at, before := d.at, d.seen
	if at != before {
		d.seen, d.told, d.stack = at, false, ""
	}
	told := d.told
	d.mu.Unlock()
	if at.goroutine == 0 || at != before || told {
		return
	}
	stack, state := goroutine(at.goroutine)
	if !blocking(state) {
		stack = ""
	}
	_, calls, _ := strings.Cut(stack, "\n") // the first line says for how long
	if again := calls == d.stack; calls == "" || !again {
		d.stack = calls
		return
	}
	d.mu.Lock()
	still := d.at == at
	d.told = still
	d.mu.Unlock()
	if still {
		d.loop.Engine().Logger().Error(
			"task: a task blocks its loop: wait with this package's functions, or run what blocks with rondo.Run",
			"loop", d.loop.Index(), "state", state, "stack", stack)
	}
}

// blocking reports whether a goroutine in that state waits for something that its program has asked for: the runtime has it wait
// for purposes of its own, too. ("semacquire" is such a state, sync's have names of their own.)
func blocking(state string) bool {
	for _, prefix := range []string{"chan ", "select", "sync.", "sleep", "IO wait", "syscall"} {
		if strings.HasPrefix(state, prefix) {
			return true
		}
	}
	return false
}

// goroutine finds the stack of one goroutine and what it is doing, in the runtime's words.
func goroutine(id uint64) (stack, state string) {
	buf := make([]byte, 1<<20)
	for len(buf) < 1<<28 {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	head := fmt.Appendf(nil, "goroutine %d [", id)
	for part := range bytes.SplitSeq(buf, []byte("\n\n")) {
		if rest, ok := bytes.CutPrefix(part, head); ok {
			inside, _, _ := bytes.Cut(rest, []byte("]"))
			what, _, _ := strings.Cut(string(inside), ",") // ", 2 minutes"
			return string(part), what
		}
	}
	return "", ""
}
