package rondo_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/rondo-go/rondo"
)

// turning is a layer that adds a number to every byte, on the way out, and takes it away again. A zero byte ends a direction in good order.
type turning struct {
	conn *rondo.Conn
	in   []byte
	done bool
	fail error // of the next Read or Write
}

func (l *turning) Received(p []byte) { l.in = append(l.in, p...) }

func (l *turning) Read(p []byte) (int, error) {
	switch {
	case l.fail != nil:
		return 0, l.fail
	case l.done:
		return 0, io.EOF
	}
	n := 0
	for n < len(p) && n < len(l.in) {
		if l.in[n] == 0 {
			l.done = true
			break
		}
		p[n] = l.in[n] - 1
		n++
	}
	l.in = l.in[n:]
	if n == 0 && l.done {
		return 0, io.EOF
	}
	if n == 0 {
		return 0, rondo.ErrMore
	}
	return n, nil
}

func (l *turning) Keep() {}

func (l *turning) Write(p []byte) error {
	if l.fail != nil {
		return l.fail
	}
	_, err := l.conn.WriteBelow(turn(p))
	return err
}

func turn(p []byte) []byte {
	q := bytes.Clone(p)
	for i := range q {
		q[i]++
	}
	return q
}

func (l *turning) CloseWrite() error {
	_, err := l.conn.WriteBelow([]byte{0})
	return err
}

func (l *turning) ReceivedEOF() error { return errCutOff }

var errCutOff = errors.New("cut off")

// layered puts a layer below an echo that ends as its peer does.
type layered struct {
	layer *turning
	made  func(c *rondo.Conn, l *turning)
	got   []byte
	lost  chan error
	eat   bool // send nothing back
}

func (p *layered) ConnectionMade(c *rondo.Conn) {
	p.layer = &turning{conn: c}
	c.SetLayer(p.layer)
	if p.made != nil {
		p.made(c, p.layer)
	}
}

func (p *layered) DataReceived(c *rondo.Conn, data []byte) int {
	p.got = append(p.got, data...)
	if !p.eat {
		_, _ = c.Write(data)
	}
	return len(data)
}

func (p *layered) ConnectionLost(_ *rondo.Conn, err error) { p.lost <- err }

// dialLayered is a connection to a protocol over a layer.
func dialLayered(t *testing.T, p *layered) *net.TCPConn {
	t.Helper()
	p.lost = make(chan error, 1)
	return newTestEngine(t, rondo.Config{Loops: 1}).connect(p)
}

// What goes through a layer comes back through it, small and large, and each direction ends when the layer says so.
func TestLayer(t *testing.T) {
	p := &layered{}
	c := dialLayered(t, p)
	for _, size := range []int{1, 100, 20_000, 1 << 20} {
		plain := bytes.Repeat([]byte{7}, size)
		go func() { _, _ = c.Write(turn(plain)) }()
		got := make([]byte, size)
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, turn(plain)) {
			t.Fatalf("%d bytes: %v", size, err)
		}
	}
	if _, err := c.Write([]byte{8, 0}); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(rest, []byte{8, 0}) {
		t.Errorf("at the end: %v, %v", rest, err)
	}
	if err := <-p.lost; !errors.Is(err, io.EOF) {
		t.Errorf("the reason is %v", err)
	}
}

// The layer says how a connection has ended that the network has ended.
func TestLayerCutOff(t *testing.T) {
	p := &layered{}
	c := dialLayered(t, p)
	_, _ = c.Write([]byte{8})
	_ = c.CloseWrite()
	if err := <-p.lost; !errors.Is(err, errCutOff) {
		t.Errorf("the reason is %v", err)
	}
	if !bytes.Equal(p.got, []byte{7}) {
		t.Errorf("%v has arrived", p.got)
	}
}

// What the layer has while reading is paused comes when it is resumed, without anything more arriving, and the end after that.
func TestLayerPaused(t *testing.T) {
	p := &pausing{}
	p.lost = make(chan error, 1)
	e := newTestEngine(t, rondo.Config{Loops: 1, ReadBuffer: 4 << 10})
	c := e.connect(p)
	want := bytes.Repeat([]byte{7}, 100_000)
	_, _ = c.Write(append(turn(want), 0))
	if err := <-p.lost; !errors.Is(err, io.EOF) {
		t.Errorf("the reason is %v", err)
	}
	if !bytes.Equal(p.got, want) {
		t.Errorf("%d bytes have arrived", len(p.got))
	}
}

// pausing takes a thousand bytes of what it is given, and pauses for a turn.
type pausing struct{ layered }

func (p *pausing) DataReceived(c *rondo.Conn, data []byte) int {
	data = data[:min(len(data), 1000)]
	p.got = append(p.got, data...)
	c.PauseReading()
	c.Loop().Post(c.ResumeReading)
	return len(data)
}

// An error of the layer's is the connection's reason.
func TestLayerFails(t *testing.T) {
	errBroken := errors.New("broken")
	for name, when := range map[string]func(c *rondo.Conn, l *turning){
		"reading": func(_ *rondo.Conn, l *turning) { l.fail = errBroken },
		"writing": func(c *rondo.Conn, l *turning) {
			l.fail = errBroken
			_, _ = c.Write([]byte("hello"))
		},
		"writing much": func(c *rondo.Conn, l *turning) {
			l.fail = errBroken
			if _, err := c.Write(make([]byte, 100_000)); !errors.Is(err, errBroken) {
				t.Errorf("Write: %v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := &layered{made: when}
			c := dialLayered(t, p)
			_, _ = c.Write([]byte{8})
			if err := <-p.lost; !errors.Is(err, errBroken) {
				t.Errorf("the reason is %v", err)
			}
		})
	}
}

// What was written is counted whether the layer has been given it or not, and who writes too much is paused and ended.
func TestLayerWriteLimits(t *testing.T) {
	buffered := make(chan int, 1)
	p := &layered{made: func(c *rondo.Conn, _ *turning) {
		_, _ = c.Write([]byte("hello"))
		buffered <- c.Buffered()
		c.SetWriteLimits(10, 20, 1000)
		for range 2_000 {
			if _, err := c.Write(make([]byte, 10_000)); err != nil {
				return
			}
		}
		t.Error("no write failed")
	}}
	_ = dialLayered(t, p)
	if n := <-buffered; n != 5 {
		t.Errorf("%d bytes are buffered", n)
	}
	var limit *rondo.BufferError
	if err := <-p.lost; !errors.As(err, &limit) {
		t.Errorf("the reason is %v", err)
	}
}

// A connection has one layer, which cannot be nil.
func TestSetLayerMisuse(t *testing.T) {
	p := &layered{made: func(c *rondo.Conn, l *turning) {
		for _, layer := range []rondo.Layer{nil, l} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("SetLayer(%v) does not panic", layer)
					}
				}()
				c.SetLayer(layer)
			}()
		}
		if c.Layer() != rondo.Layer(l) {
			t.Error("Layer is another")
		}
		_ = c.Close()
	}}
	_ = dialLayered(t, p)
	<-p.lost
}
