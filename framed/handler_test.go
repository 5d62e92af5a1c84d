package framed_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/frame"
	"github.com/rondo-go/rondo/framed"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/sim"
)

type (
	hearsEOF    struct{ heard *[]string }
	hearsPauses struct{ heard *[]string }
	hearsDrain  struct{ heard *[]string }
)

func (x hearsEOF) EOFReceived(c *framed.Conn) {
	*x.heard = append(*x.heard, "EOF")
	_ = c.SendFrame([]byte("bye"))
	c.Close()
}
func (x hearsPauses) PauseWriting(*framed.Conn)  { *x.heard = append(*x.heard, "pause") }
func (x hearsPauses) ResumeWriting(*framed.Conn) { *x.heard = append(*x.heard, "resume") }
func (x hearsDrain) Drain(c *framed.Conn) {
	*x.heard = append(*x.heard, "drain")
	_ = c.SendFrame([]byte("going"))
	c.Close()
}

type everything struct {
	*recorder
	hearsEOF
	hearsPauses
	hearsDrain
}

// handlers are all that a handler can be.
func handlers() (all []framed.Handler, heard *[]string) {
	heard = new([]string)
	e, p, d := hearsEOF{heard}, hearsPauses{heard}, hearsDrain{heard}
	return []framed.Handler{
		&recorder{},
		&struct {
			*recorder
			hearsEOF
		}{&recorder{}, e},
		&struct {
			*recorder
			hearsPauses
		}{&recorder{}, p},
		&struct {
			*recorder
			hearsDrain
		}{&recorder{}, d},
		&struct {
			*recorder
			hearsEOF
			hearsPauses
		}{&recorder{}, e, p},
		&struct {
			*recorder
			hearsEOF
			hearsDrain
		}{&recorder{}, e, d},
		&struct {
			*recorder
			hearsPauses
			hearsDrain
		}{&recorder{}, p, d},
		everything{&recorder{}, e, p, d},
	}, heard
}

// The engine sees of a handler what it implements, and no more.
func TestImplements(t *testing.T) {
	all, _ := handlers()
	for _, h := range all {
		p := framed.New(frame.Lines(10), h)
		_, want1 := h.(framed.EOFReceiver)
		_, want2 := h.(framed.WritePauser)
		_, want3 := h.(framed.Drainer)
		_, got1 := p.(rondo.EOFReceiver)
		_, got2 := p.(rondo.WritePauser)
		_, got3 := p.(rondo.Drainer)
		if got1 != want1 || got2 != want2 || got3 != want3 {
			t.Errorf("%T: %v %v %v, want %v %v %v", h, got1, got2, got3, want1, want2, want3)
		}
	}
}

// A handler that hears ends answers them, but for one within a frame, which closes the connection; pauses come to it as well.
func TestEnds(t *testing.T) {
	for _, test := range []struct {
		sent, answer string
		heard        []string
		err          error
	}{
		{"a\n", "bye\n", []string{"EOF"}, nil},
		{"", "bye\n", []string{"EOF"}, nil},
		{"a\nb", "", nil, io.ErrUnexpectedEOF},
	} {
		all, heard := handlers()
		h := all[7]
		sim.Run(t, sim.Config{}, func(w *sim.World) {
			p := w.AttachAccepted(w.Host("subject").Engine(), framed.New(frame.Lines(10), h))
			p.Send(test.sent)
			p.CloseWrite()
			p.Expect(test.answer)
			p.ExpectEnd()
			p.Settle()
		})
		r := h.(everything).recorder
		if !slices.Equal(*heard, test.heard) || !errors.Is(r.err, test.err) || !r.lost {
			t.Errorf("%q: %q, %v", test.sent, *heard, r.err)
		}
	}
}

func TestPauses(t *testing.T) {
	all, heard := handlers()
	h := all[7]
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		var conn *framed.Conn
		h.(everything).onMade = func(c *framed.Conn) { conn = c }
		e := w.Host("subject").Engine()
		p := w.AttachAccepted(e, framed.New(frame.Uint32(1<<20), h))
		p.PauseReading()
		e.Loop().Post(func() { _ = conn.SendFrame(make([]byte, 1<<20)) })
		w.Sleep(time.Second)
		p.ResumeReading()
		w.Sleep(time.Minute)
		if err := e.Shutdown(context.Background()); err != nil { //nolint:usetesting // the world's, not the test's
			t.Error(err)
		}
	})
	if want := []string{"pause", "resume", "drain"}; !slices.Equal(*heard, want) {
		t.Errorf("heard %q", *heard)
	}
}

func TestMisuse(t *testing.T) {
	for name, fn := range map[string]func(){
		"framed: Handle needs a function that makes handlers":                          func() { framed.Handle(frame.Lines(1), nil) },
		"framed: New needs a framing and a handler":                                    func() { framed.New(nil, &recorder{}) },
		"framed: Conn.SetFraming needs a framing":                                      func() { new(framed.Conn).SetFraming(nil) },
		"framed: Conn.SetRaw needs a handler that is a RawReceiver, and <nil> is none": func() { new(framed.Conn).SetRaw(1) },
	} {
		func() {
			defer func() {
				if said := recover(); said != name {
					t.Errorf("%v, want %s", said, name)
				}
			}()
			fn()
		}()
	}
}

// onConnection calls fn on the loop of a connection, with what has these bytes received by a handler that echoes.
func onConnection(tb testing.TB, f frame.Framing, h framed.Handler, fn func(receive func(p []byte))) {
	tb.Helper()
	e := rig.New(tb, rondo.Config{})
	made := make(chan *rondo.Conn, 1)
	p := framed.New(f, h)
	ln, err := e.Listen("tcp", "127.0.0.1:0", func() rondo.Protocol { return &noting{p, made} })
	if err != nil {
		tb.Fatal(err)
	}
	rig.Dial(tb, ln.Addr().String())
	c := rig.Await(tb, made)
	done := make(chan struct{})
	c.Loop().Post(func() {
		defer close(done)
		fn(func(data []byte) { p.DataReceived(c, data) })
	})
	<-done
}

type noting struct {
	rondo.Protocol
	made chan *rondo.Conn
}

func (n *noting) ConnectionMade(c *rondo.Conn) {
	n.Protocol.ConnectionMade(c)
	n.made <- c
}

// counter counts frames, and nothing else.
type counter struct{ n int }

func (*counter) ConnectionMade(*framed.Conn)          {}
func (*counter) ConnectionLost(*framed.Conn, error)   {}
func (x *counter) FrameReceived(*framed.Conn, []byte) { x.n++ }

func TestFramesDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("needs a build without the race detector, which allocates")
	}
	h := &echoer{}
	onConnection(t, frame.Lines(100), h, func(receive func(p []byte)) {
		data := []byte("one\ntwo\nthree\n") // what is sent in one turn is kept together; a thousand of it are below the high water mark
		if n := testing.AllocsPerRun(1000, func() { receive(data) }); n != 0 || h.n < 3000 {
			t.Errorf("%v allocations, %d frames", n, h.n)
		}
	})
}

type echoer struct{ counter }

func (x *echoer) FrameReceived(c *framed.Conn, p []byte) {
	x.n++
	_ = c.SendFrame(p)
}

// BenchmarkFrames is what a frame costs from DataReceived to the handler, of a hundred that have come together.
func BenchmarkFrames(b *testing.B) {
	for _, test := range []struct {
		name string
		f    frame.Framing
	}{
		{"lines", frame.LinesCRLF(100)},
		{"netstrings", frame.Netstrings(100)},
		{"uint32", frame.Uint32(100)},
	} {
		b.Run(test.name, func(b *testing.B) {
			var data []byte
			for range 100 {
				data, _ = test.f.Append(data, []byte("GET /index.html 200 1234"))
			}
			h := &counter{}
			onConnection(b, test.f, h, func(receive func(p []byte)) {
				b.ReportAllocs()
				for b.Loop() {
					receive(data)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(h.n), "ns/frame")
			})
		})
	}
}
