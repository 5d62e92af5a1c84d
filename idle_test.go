package rondo_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// idleLoops is how many wait in TestIdleLoops.
const idleLoops = 64

// TestIdleLoops says that a loop with nothing to do is a parked goroutine and holds no thread of the
// operating system. It counts in a process of its own, since the runtime keeps threads that other
// tests needed.
func TestIdleLoops(t *testing.T) {
	if os.Getenv("RONDO_TEST_IDLE") != "" {
		fmt.Println(idleThreads(t))
		return
	}
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc to count threads")
	}
	if p := newTestEngine(t, rondo.Config{}).Poller(); p != "epoll" {
		t.Skipf("needs epoll: %s waits in the kernel, on a thread", p)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestIdleLoops$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), "RONDO_TEST_IDLE=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	line, _, _ := bytes.Cut(out, []byte("\n"))
	threads, err := strconv.Atoi(string(line))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if threads > idleLoops/2 {
		t.Errorf("%d idle loops: %d threads", idleLoops, threads)
	}
}

// idleThreads counts the threads of this process while its loops are idle.
func idleThreads(t *testing.T) int {
	e := newTestEngine(t, rondo.Config{Loops: idleLoops})
	e.connect(echo{})
	for _, l := range e.Loops() { // each has worked, and has had a timer that goes on
		rig.On(t, l, func() { l.After(time.Hour, func() {}) })
	}
	buf := make([]byte, 1<<20)
	waiting := func() int { return bytes.Count(buf[:runtime.Stack(buf, true)], []byte("[IO wait")) }
	for deadline := time.Now().Add(rig.Patience); waiting() < idleLoops; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d loops of %d wait", waiting(), idleLoops)
		}
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(tasks)
}
