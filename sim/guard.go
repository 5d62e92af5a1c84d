package sim

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"time"
)

// standstill is how long, in real time, one step may take before guard says so. It is no limit: a debugger may hold the program.
const standstill = 10 * time.Second

// guard tells, on standard error, of a world that stands still in real time: a goroutine of it waits for something that is not the
// world's, or computes without end, and nobody else could say which, in which run.
func (w *World) guard() (stop func()) {
	over := make(chan struct{})
	go func() {
		ticker := time.NewTicker(standstill) //nolint:forbidigo // what stands still does so in real time
		defer ticker.Stop()
		last := w.beat.Load()
		told := false
		for {
			select {
			case <-over:
				return
			case <-ticker.C:
			}
			now := w.beat.Load()
			if now != last {
				last, told = now, false
				continue
			}
			if !told {
				told = true
				what := "the simulation"
				if r := w.acting.Load(); r != nil {
					what = r.what
				}
				fmt.Fprintf(os.Stderr, "sim: with seed %d, %s has stood still for %v of real time: it waits for something that is not the world's, as a channel, a mutex or time.Sleep, or it computes\n%s\n",
					w.seed, what, standstill, stacks())
			}
		}
	}()
	return func() { close(over) }
}

// stacks are those of the goroutines that are not waiting for another coroutine.
func stacks() []byte {
	var kept [][]byte
	for part := range bytes.SplitSeq(allStacks(1<<20), []byte("\n\n")) {
		head, _, _ := bytes.Cut(part, []byte("\n"))
		if !bytes.Contains(head, []byte("[coroutine")) && !bytes.Contains(part, []byte("sim.stacks(")) {
			kept = append(kept, part)
		}
	}
	return bytes.Join(kept, []byte("\n\n"))
}

// allStacks are those of all goroutines, with an empty line between each two, as far as so many bytes hold them.
func allStacks(most int) []byte {
	for size := min(1<<18, most); ; size *= 4 {
		buf := make([]byte, min(size, most))
		if n := runtime.Stack(buf, true); n < len(buf) || n == most {
			return buf[:n]
		}
	}
}
