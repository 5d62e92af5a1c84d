package poetry

import (
	"context"
	"io"
	"os"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/secure"
)

// FetchAsync fetches the poems all at once on one loop: every connection is begun before the first is made, and from
// then on the loop works for whichever has something, so the time is that of the longest task. It returns when all have
// ended; which of them failed, and why, is in the report. When ctx ends, those under way fail with [ErrCancelled]; a
// Shutdown of the loop's engine lets those that are connected go on for as long as its context allows. OnEvent is called
// on the loop. FetchAsync itself waits: call it from any goroutine but the loop's.
func (c *Client) FetchAsync(ctx context.Context, l *rondo.Loop, addresses []Address) *Report {
	f := &asyncFetch{
		client: c, ctx: ctx, loop: l, recorder: c.NewRecorder(ModeAsync, addresses),
		left: len(addresses), over: rondo.NewPromise[struct{}](l),
	}
	if len(addresses) == 0 {
		return f.recorder.Report()
	}
	l.Post(func() { f.start(addresses) })
	// Connections being made are given up with ctx by the engine; those that stand need to be told.
	stop := l.Engine().AfterContext(ctx, func() { l.Post(f.cancel) })
	defer stop()
	if _, err := f.over.Future().Wait(context.WithoutCancel(ctx)); err != nil {
		f.bury(err)
	}
	return f.recorder.Report()
}

// An asyncFetch is one call of FetchAsync. All of it happens on the loop.
type asyncFetch struct {
	client   *Client
	ctx      context.Context
	loop     *rondo.Loop
	recorder *Recorder
	tasks    []*asyncTask
	left     int // tasks that have not ended
	over     *rondo.Promise[struct{}]
}

func (f *asyncFetch) start(addresses []Address) {
	for i, address := range addresses {
		t := &asyncTask{fetch: f, task: i + 1}
		f.tasks = append(f.tasks, t)
		t.start(address)
	}
}

// bury ends what is left when the loop itself has ended, and calls nobody back any more. That is also why what belonged
// to the loop can be looked at here.
func (f *asyncFetch) bury(err error) {
	for i := range f.recorder.Report().Tasks {
		switch {
		case i >= len(f.tasks):
			f.recorder.Start(i + 1)
			f.recorder.End(i+1, err)
		case !f.tasks[i].ended:
			f.recorder.End(i+1, err)
		}
	}
}

func (f *asyncFetch) cancel() {
	for _, t := range f.tasks {
		t.end(context.Cause(f.ctx))
	}
}

// An asyncTask is one poem that is fetched, as a protocol.
type asyncTask struct {
	fetch *asyncFetch
	task  int
	conn  *rondo.Conn        // nil until it stands
	abort context.CancelFunc // gives the connecting up
	ended bool
	quiet silence
}

func (t *asyncTask) start(address Address) {
	f := t.fetch
	f.recorder.Start(t.task)
	if f.ctx.Err() != nil {
		t.end(f.ctx.Err())
		return
	}
	t.quiet = f.recorder.newSilence(f.loop, func() { t.end(os.ErrDeadlineExceeded) })
	t.quiet.listen()
	var ctx context.Context
	ctx, t.abort = context.WithCancel(f.ctx)
	f.client.dialOn(ctx, f.loop, address, t).OnDone(func(_ *rondo.Conn, err error) {
		if err != nil {
			t.end(err)
		}
	})
}

// dialOn connects on a loop. The task's silence bounds the connecting too; without one, only the operating system does.
func (c *Client) dialOn(ctx context.Context, l *rondo.Loop, address Address, p rondo.Protocol) *rondo.Future[*rondo.Conn] {
	if c.Connect != nil {
		return c.Connect(ctx, l, address.String(), p)
	}
	d := rondo.Dialer{Loop: l, Timeout: -1}
	if c.TLS == nil {
		return d.Dial(ctx, l.Engine(), "tcp", address.String(), p)
	}
	secured := secure.Config{TLS: c.TLS}
	if c.Timeout > 0 {
		secured.HandshakeTimeout = -1
	}
	return secured.DialWith(ctx, l.Engine(), d, "tcp", address.String(), p)
}

func (t *asyncTask) ConnectionMade(c *rondo.Conn) {
	t.conn = c
	if t.ended {
		c.Abort()
		return
	}
	t.fetch.recorder.Connected(t.task)
}

func (t *asyncTask) DataReceived(_ *rondo.Conn, p []byte) int {
	if t.ended {
		return len(p)
	}
	if err := t.fetch.recorder.Data(t.task, p); err != nil {
		t.end(err)
	} else {
		t.quiet.listen()
	}
	return len(p)
}

func (t *asyncTask) ConnectionLost(_ *rondo.Conn, err error) {
	if err == io.EOF { //nolint:errorlint // documented to be bare; an end of TLS that is none is another error
		err = nil // the whole poem is here
	}
	t.end(err)
}

// Drain implements rondo.Drainer: without it a shutdown would close the connection, and a part pass for the whole.
func (t *asyncTask) Drain(*rondo.Conn) {}

// end records how the task has ended, once, and leaves nothing of it behind.
func (t *asyncTask) end(err error) {
	if t.ended {
		return
	}
	t.ended = true
	f := t.fetch
	f.recorder.End(t.task, orCancelled(f.ctx, err))
	t.quiet.stop()
	if t.abort != nil {
		t.abort()
	}
	if t.conn != nil {
		t.conn.Abort() // does nothing if that is what has ended
	}
	if f.left--; f.left == 0 {
		f.over.Resolve(struct{}{})
	}
}
