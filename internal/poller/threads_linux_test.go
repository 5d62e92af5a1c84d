package poller_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
)

// idlePollers is how many wait at the same time in TestIdleThreads.
const idlePollers = 64

// TestIdleThreads says what an idle loop costs: on epoll it is a parked goroutine, on poll and
// select it sits in the kernel and holds an operating system thread. It counts in a process of
// its own, since the runtime keeps threads that other tests needed.
func TestIdleThreads(t *testing.T) {
	if name := os.Getenv("RONDO_TEST_IDLE"); name != "" {
		fmt.Println(idleThreads(t, name))
		return
	}
	for _, name := range subjects(t) {
		t.Run(name, func(t *testing.T) {
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestIdleThreads$", "-test.timeout=60s")
			cmd.Env = append(os.Environ(), "RONDO_TEST_IDLE="+name,
				"GORACE=atexit_sleep_ms=0") // or the race detector sleeps for a second
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			line, _, _ := bytes.Cut(out, []byte("\n"))
			threads, err := strconv.Atoi(string(line))
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Logf("%d idle %s pollers: %d threads", idlePollers, name, threads)
			switch holds := name == "poll" || name == "select"; {
			case holds && threads < idlePollers:
				t.Error("fewer threads than pollers: its documentation says that each holds one")
			case !holds && threads > idlePollers/2:
				t.Error("idle pollers hold threads")
			}
		})
	}
}

// idleThreads counts the threads of this process while that many pollers wait for ever.
func idleThreads(t *testing.T, name string) int {
	pollers := make([]poller.Poller, idlePollers)
	done := make(chan error, idlePollers)
	var stop atomic.Bool
	for i := range pollers {
		p, err := poller.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		pollers[i] = p
	}
	for _, p := range pollers {
		go func() {
			var err error
			for err == nil && !stop.Load() { // a signal may end a Wait before its time
				_, err = p.Wait(poller.Forever)
			}
			done <- err
		}()
	}
	pause, err := poller.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := pause.Now() + patience; waiting() < idlePollers; {
		if pause.Now() > deadline {
			t.Fatalf("only %d of %d pollers wait", waiting(), idlePollers)
		}
		if _, err := pause.Wait(pause.Now() + int64(5*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	stop.Store(true)
	for _, p := range pollers {
		p.Wake()
	}
	for range pollers {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	return len(tasks)
}

// waiting counts the goroutines that wait for the network or sit in a system call below Wait.
func waiting() (n int) {
	buf := make([]byte, 1<<20)
	for g := range bytes.SplitSeq(buf[:runtime.Stack(buf, true)], []byte("\n\n")) {
		state, _, _ := bytes.Cut(g, []byte("\n"))
		idle := bytes.Contains(state, []byte("[IO wait")) || bytes.Contains(state, []byte("[syscall"))
		if idle && bytes.Contains(g, []byte(").Wait(")) {
			n++
		}
	}
	return n
}
