package sim_test

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/queue"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// Of each goroutine that waits for ever it is said where, in the program's own words, and since when.
func TestWhereGoroutinesWait(t *testing.T) {
	never := func(e *rondo.Engine) *rondo.Future[int] { return rondo.NewPromise[int](e.Loop()).Future() }
	_, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
		w.Host("server").Start(echoServer)
		w.Sleep(time.Second)
		client := w.Host("client")
		e := client.Engine()
		for range 3 {
			client.Go(func() { readAll(e) })
			w.Sleep(time.Second)
		}
		w.Go(func() { w.Wait(func() bool { return false }) })
		client.Go(func() { deep(9, func() { _, _ = queue.New[int](e.Loop(), 1).Handle().Get(background) }) })
		_ = e.Run(func(context.Context) { _, _ = never(e).Wait(background) })
		rondo.FromChan(e.Loop(), make(chan int))
		w.Sleep(500 * time.Millisecond)
		_, _ = never(e).Wait(background)
	})
	if err == nil {
		t.Fatal("it does not wait")
	}
	report, _, _ := strings.Cut(err.Error(), "the tasks of")
	report = regexp.MustCompile(`_test\.go:\d+`).ReplaceAllString(report, "_test.go:N")
	if want := strings.TrimLeft(`
the simulation's function has waited since 4.5s in rondo.Future.Wait, called by sim_test.TestWhereGoroutinesWait.func2 (report_test.go:N)
a goroutine of host client and 2 more like it have waited since 1.001s or later in net.Conn.Read, called by sim_test.readAll (report_test.go:N), sim_test.TestWhereGoroutinesWait.func2.1 (report_test.go:N)
a function given to World.Go has waited since 4s in sim.World.Wait, called by sim_test.TestWhereGoroutinesWait.func2.2 (report_test.go:N)
a goroutine of host client has waited since 4s in queue.Handle.Get, called by sim_test.TestWhereGoroutinesWait.func2.3.1 (report_test.go:N), sim_test.deep (report_test.go:N), sim_test.deep (report_test.go:N), sim_test.deep (report_test.go:N), ...
blocking work of host client has waited since 4s in rondo.Future.Wait, called by sim_test.TestWhereGoroutinesWait.func2.4 (report_test.go:N)
a goroutine of host client has waited since 4s in rondo.FromChan
`, "\n"); !strings.HasSuffix(report, "virtual time\n"+want) {
		t.Errorf("the report is\n%s\nnot\n%s", report, want)
	}
}

//go:noinline
func deep(n int, fn func()) {
	if n > 0 {
		deep(n-1, fn)
		return
	}
	fn()
}

func readAll(e *rondo.Engine) {
	c, err := e.DialContext(background, "tcp", "server:7")
	if err == nil {
		_, err = io.ReadAll(c)
	}
	panic(err)
}

// Of many that wait in different places not all are listed.
func TestManyThatWait(t *testing.T) {
	_, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
		for i := range 100 {
			w.Host(fmt.Sprintf("h%d", i)).Go(func() { w.Wait(func() bool { return false }) })
		}
		w.Wait(func() bool { return false })
	})
	if n := strings.Count(fmt.Sprint(err), "has waited since 0s in sim.World.Wait"); n != 20 || !strings.Contains(fmt.Sprint(err), "\n81 more goroutines wait") {
		t.Errorf("%d are listed: %v", n, err)
	}
}

// A function given to Run that goes on when its engine has ended, and its context with it, is one that nobody will see the end of.
func TestRunOutlivesEngine(t *testing.T) {
	for name, c := range map[string]struct {
		fn   func(ctx context.Context, w *sim.World)
		want string
	}{
		"hangs":         {func(_ context.Context, w *sim.World) { w.Wait(func() bool { return false }) }, "given to Run"},
		"takes a while": {func(_ context.Context, w *sim.World) { w.Sleep(time.Hour) }, ""},
		"obeys":         {func(ctx context.Context, w *sim.World) { w.Wait(func() bool { return ctx.Err() != nil }) }, ""},
	} {
		_, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
			if err := w.Host("a").Engine().Run(func(ctx context.Context) { c.fn(ctx, w) }); err != nil {
				w.Errorf("%v", err)
			}
			w.Sleep(time.Second)
		})
		if (err != nil) != (c.want != "") || err != nil && (!strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "blocking work of host a has waited since")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A panic in a protocol's callback or in a handler that nobody waits for is seen by a test that would pass otherwise.
func TestPanicIsSeen(t *testing.T) {
	for _, server := range []func(e *rondo.Engine){
		func(e *rondo.Engine) {
			_, _ = e.Listen("tcp", ":7", stream.Handle(func(t *task.Task, s *stream.Stream) error {
				_, _ = s.Write(t, []byte("x"))
				_ = s.Close()
				panic("bug")
			}))
		},
		func(e *rondo.Engine) { e.Loop().Post(func() { panic("bug") }) },
	} {
		w, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
			server(w.Host("server").Engine())
			w.Sleep(time.Second)
			if c, err := w.Host("client").Engine().DialContext(background, "tcp", "server:7"); err == nil {
				_, _ = io.ReadAll(c)
			}
		})
		if err == nil {
			var lines []string
			for _, e := range w.Log().Entries() {
				lines = append(lines, e.String())
			}
			t.Errorf("no error; panic in the log: %v\n%s", slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "panic") }), strings.Join(lines, "\n"))
		}
	}
}
