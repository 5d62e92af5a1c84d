package poetry

import (
	"context"
	"io"
	"os"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// FetchTasks fetches the poems all at once on one loop, with a task for each: code that reads like the blocking client's
// and waits like the asynchronous one's, so the time is that of the longest task. It returns when all have ended; which of
// them failed, and why, is in the report. When ctx ends, those under way fail with [ErrCancelled]; a Shutdown of the
// loop's engine lets them go on for as long as its context allows. OnEvent is called on the loop. FetchTasks itself
// waits: call it from any goroutine but the loop's.
func (c *Client) FetchTasks(ctx context.Context, l *rondo.Loop, addresses []Address) *Report {
	r := c.NewRecorder(ModeTask, addresses)
	began, ended := make([]bool, len(addresses)), make([]bool, len(addresses))
	_, err := task.GoContext(ctx, l, func(t *task.Task) (none struct{}, err error) {
		return none, task.WithGroup(t, func(_ *task.Task, g *task.Group) error {
			for i, address := range addresses {
				g.Go(func(t *task.Task) error {
					began[i] = true
					r.Start(i + 1)
					err := c.readTask(t, r, i+1, address)
					ended[i] = true
					r.End(i+1, orCancelled(ctx, err))
					return nil // a failure is the report's: the others go on
				})
			}
			return nil
		})
	}).Wait(context.WithoutCancel(ctx))
	for i := range addresses { // tasks that were cancelled before they began
		if !began[i] {
			r.Start(i + 1)
		}
		if !ended[i] {
			r.End(i+1, orCancelled(ctx, err))
		}
	}
	return r.Report()
}

// readTask gets one poem.
func (c *Client) readTask(t *task.Task, r *Recorder, number int, address Address) error {
	quiet := r.newSilence(t.Loop(), func() { t.Cancel(os.ErrDeadlineExceeded) })
	quiet.listen()
	defer quiet.stop()
	s, err := stream.DialBy(t, func(ctx context.Context, p rondo.Protocol) *rondo.Future[*rondo.Conn] {
		return c.dialOn(ctx, t.Loop(), address, p)
	})
	if err != nil {
		return err
	}
	r.Connected(number)
	if err := c.readPieces(t, s, r, number, &quiet); err != nil {
		s.Abort() // a server would take a mere end for that of a client which still listens
		return err
	}
	return s.Close()
}

// readPieces reads until the server has said all that it has to say.
func (c *Client) readPieces(t *task.Task, s *stream.Stream, r *Recorder, number int, quiet *silence) error {
	for {
		piece, err := s.Next(t, maxPieceBytes)
		if err == io.EOF { //nolint:errorlint // documented to be bare
			return nil
		}
		if err != nil {
			return err
		}
		if err := r.Data(number, piece); err != nil {
			return err
		}
		quiet.listen()
	}
}

// maxPieceBytes is the most that one piece of a task's can have: what a loop reads at once by default.
const maxPieceBytes = 64 << 10
