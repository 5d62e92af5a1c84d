package cli

import (
	"context"
	"io"
	"os"
	"sync"
	"time"
)

// An outlet is a file that the program writes what it says to. A write to a pipe that is full, with nobody who reads it, blocks its
// thread whatever the signals say. So it happens on a goroutine of the outlet's, and soon after the first signal it is left to that:
// from then on every Write fails with what ended the context, and the command ends as its own rules have it. Safe from any goroutine.
type outlet struct {
	ctx  context.Context
	file *os.File

	mu      sync.Mutex // held by who writes, for as long as that takes
	pending chan []byte
	written chan written
	copied  []byte // what is being written, since a write that is stuck keeps it
	stuck   bool
}

// written is what came of a write.
type written struct {
	n   int
	err error
}

// lastWords is how long a write may take once the context has ended. One that somebody reads takes far less, so that what a command
// says at its end still comes.
const lastWords = 500 * time.Millisecond

func newOutlet(ctx context.Context, f *os.File) *outlet { return &outlet{ctx: ctx, file: f} }

// Write implements io.Writer.
func (o *outlet) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stuck {
		return 0, context.Cause(o.ctx)
	}
	if o.pending == nil {
		o.pending, o.written = make(chan []byte), make(chan written, 1)
		go o.work()
	}
	o.copied = append(o.copied[:0], p...)
	o.pending <- o.copied
	select {
	case w := <-o.written:
		return w.n, w.err
	case <-o.ctx.Done():
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(o.ctx), lastWords)
	defer cancel()
	select {
	case w := <-o.written:
		return w.n, w.err
	case <-late.Done():
		o.stuck = true
		return 0, context.Cause(o.ctx)
	}
}

// work writes for as long as the process lives.
func (o *outlet) work() {
	for p := range o.pending {
		n, err := o.file.Write(p)
		o.written <- written{n, err}
	}
}

// fileOf is the file that w writes to, if it is one: what asks for a terminal wants it.
func fileOf(w io.Writer) (f *os.File, ok bool) {
	if o, isOutlet := w.(*outlet); isOutlet {
		return o.file, true
	}
	f, ok = w.(*os.File)
	return f, ok
}

// An outlook is an output that remembers its first error, so that nobody works for one that is good for nothing. Not safe for use from
// several goroutines at once.
type outlook struct {
	io.Writer
	err    error
	failed context.CancelCauseFunc // told of the error; may be nil
}

// Write implements io.Writer.
func (o *outlook) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if err != nil && o.err == nil {
		o.err = err
		if o.failed != nil {
			o.failed(err)
		}
	}
	return n, err
}
