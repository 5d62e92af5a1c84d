package poetry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/rondo-go/rondo"
)

// readBufferBytes is what one read takes at most, so the most that one piece can have.
const readBufferBytes = 4096

// A Client fetches poems. The zero value waits for ever, tells nobody and uses the real network. It may be used for
// several fetches at once, if its callbacks allow it; its fields must not be changed meanwhile.
type Client struct {
	// Timeout is how long a server may send nothing: since dialing began, and then since its last byte. One that
	// exceeds it fails its own task. The time in which the client does not listen, because OnEvent has not returned,
	// is added to it. 0 means no limit.
	Timeout time.Duration
	// MaxBytes is the longest poem taken; 0 means DefaultMaxBytes.
	MaxBytes int
	// Discard has poems counted and not kept: the report's Poem fields are nil. Ten thousand tasks of a megabyte each are else
	// ten gigabytes.
	Discard bool
	// TLS encrypts the connections; nil means that they are plain. Without a ServerName the certificate must be that of the
	// address's host. Timeout holds for the handshake too; without one it may take 10 seconds. A server that ends without
	// TLS's own end (close_notify) fails the task: what came may be a part.
	TLS *tls.Config
	// OnEvent is told what happens, one event at a time, from whichever goroutine it happens on. The other tasks wait
	// for it, so it should be quick, and it must not call the Recorder. nil means nobody is told.
	OnEvent func(Event)

	// Now is the clock that measures and sets deadlines; nil means time.Now. Dial must agree with it about the time.
	// FetchAsync and FetchTasks only measure with it: their deadlines are timers of the loop.
	Now func() time.Time
	// Dial opens a connection, until ctx ends; nil means a net.Dialer. FetchAsync and FetchTasks do not use it: their
	// connections are the engine's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Connect makes a connection of FetchAsync's or FetchTasks', on that loop and for that protocol, until ctx ends; nil means a rondo.Dialer
	// over TCP. Over anything else it is an endpoint.Dialer's On(l).Dial, for example. The address is an Address as a string.
	Connect func(ctx context.Context, l *rondo.Loop, address string, p rondo.Protocol) *rondo.Future[*rondo.Conn]
}

func (c *Client) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

func (c *Client) maxBytes() int {
	if c.MaxBytes > 0 {
		return c.MaxBytes
	}
	return DefaultMaxBytes
}

// fetch gets one poem with blocking calls, and records all of it, failure included. The blocking and the threaded client
// differ only in how they call it.
func (c *Client) fetch(ctx context.Context, r *Recorder, task int, address Address) {
	r.Start(task)
	err := c.read(ctx, r, task, address)
	r.End(task, orCancelled(ctx, err))
}

// orCancelled is why a task failed. Whatever the connection said: once ctx has ended, what happened is that the caller
// gave up.
func orCancelled(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && !errors.Is(err, ErrTooLong) {
		return fmt.Errorf("%w: %w", ErrCancelled, context.Cause(ctx))
	}
	return err
}

func (c *Client) read(ctx context.Context, r *Recorder, task int, address Address) error {
	if err := ctx.Err(); err != nil {
		return err // do not dial for the tasks that come after a cancelled one
	}
	last := c.now()
	conn, err := c.dial(ctx, address, last)
	if err != nil {
		return err
	}
	defer conn.Close()
	plain := conn
	stop := context.AfterFunc(ctx, func() { _ = plain.Close() })
	defer stop()
	if c.TLS != nil {
		if conn, err = c.handshake(ctx, plain, address, last); err != nil {
			return err
		}
		last = c.now()
	}
	stands := c.now()
	r.Connected(task)
	last = last.Add(c.now().Sub(stands)) // what was told meanwhile, by this task or another, is not the server's time

	buf := make([]byte, readBufferBytes)
	for {
		if c.Timeout > 0 {
			if err := conn.SetReadDeadline(last.Add(c.Timeout)); err != nil {
				return err
			}
		}
		n, err := conn.Read(buf)
		if n > 0 {
			if err := r.Data(task, buf[:n]); err != nil {
				return err
			}
			last = c.now()
		}
		if err == io.EOF { //nolint:errorlint // bare by io.Reader's contract
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (c *Client) dial(ctx context.Context, address Address, began time.Time) (net.Conn, error) {
	if c.Dial != nil {
		if c.Timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, began.Add(c.Timeout))
			defer cancel()
		}
		return c.Dial(ctx, "tcp", address.String())
	}
	dialer := net.Dialer{Timeout: c.Timeout}
	return dialer.DialContext(ctx, "tcp", address.String())
}
