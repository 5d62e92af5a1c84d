package framed_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/frame"
	"github.com/rondo-go/rondo/framed"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/sim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is a handler that notes what it hears, and does what its hooks say.
type recorder struct {
	heard   []string
	onMade  func(c *framed.Conn)
	onFrame func(c *framed.Conn, p []byte)
	onRaw   func(c *framed.Conn, p []byte) int
	err     error
	lost    bool
}

func (r *recorder) ConnectionMade(c *framed.Conn) {
	if r.onMade != nil {
		r.onMade(c)
	}
}

func (r *recorder) FrameReceived(c *framed.Conn, p []byte) {
	r.heard = append(r.heard, string(p))
	if r.onFrame != nil {
		r.onFrame(c, p)
	}
}

func (r *recorder) RawReceived(c *framed.Conn, p []byte) int { return r.onRaw(c, p) }

func (r *recorder) ConnectionLost(_ *framed.Conn, err error) { r.err, r.lost = err, true }

// result is for sim.Subject.
func (r *recorder) result() any { return fmt.Sprintf("%q, then %v", r.heard, r.err) }

var framings = map[string]frame.Framing{
	"Lines":      frame.Lines(50),
	"LinesCRLF":  frame.LinesCRLF(50),
	"Delimited":  frame.Delimited("<>", 50),
	"Netstrings": frame.Netstrings(50),
	"Uint8":      frame.Uint8(50),
	"Uint16":     frame.Uint16(50),
	"Uint16LE":   frame.Uint16LE(50),
	"Uint32":     frame.Uint32(50),
	"Uint32LE":   frame.Uint32LE(50),
	"Varints":    frame.Varints(50),
}

func echo(c *framed.Conn, p []byte) { _ = c.SendFrame(p) }

// wrong is bytes of which the last makes certain that they are over the limit of f. (Bytes behind it would not be read, and the connection
// be closed or reset, whichever way they are split.)
func wrong(f frame.Framing) []byte {
	for n := range 60 {
		p := bytes.Repeat([]byte("9"), n)
		if _, _, err := f.Next(p, 0); err != nil {
			return p
		}
	}
	return nil
}

// However the bytes are split, a handler receives the same frames and the same reason: the end between frames or within one, or a limit.
func TestSplits(t *testing.T) {
	for name, f := range framings {
		t.Run(name, func(t *testing.T) {
			var input []byte
			for _, p := range []string{"hello", "", "x", strings.Repeat("long", 10)} {
				input, _ = f.Append(input, []byte(p))
			}
			tail, err := f.Append(nil, []byte("tail"))
			if err != nil {
				t.Fatal(err)
			}
			for _, end := range [][]byte{nil, tail[:len(tail)-1], wrong(f)} {
				sim.CheckProtocol(t, slices.Concat(input, end), func() sim.Subject {
					r := &recorder{onFrame: echo}
					return sim.Subject{Protocol: framed.New(f, r), Result: r.result}
				})
			}
		})
	}
}

// articles is a protocol of headers with a length, bodies of that many bytes, and texts with a full stop at their end, as mail's are.
func articles() *recorder {
	r := &recorder{}
	var body []byte
	r.onFrame = func(c *framed.Conn, p []byte) {
		switch word, rest, _ := strings.Cut(string(p), " "); word {
		case "body":
			n, _ := strconv.Atoi(rest)
			c.SetRaw(int64(n))
		case "text":
			c.SetRaw(-1)
		case "strings":
			c.SetFraming(frame.Netstrings(100))
		case "lines":
			c.SetFraming(frame.Lines(100))
		}
	}
	r.onRaw = func(c *framed.Conn, p []byte) int {
		if c.Raw() < 0 {
			i := bytes.IndexByte(p, '.')
			if i < 0 {
				return 0 // until more is there
			}
			r.heard = append(r.heard, "<"+string(p[:i])+">")
			c.SetFraming(c.Framing())
			return i + 1
		}
		body = append(body, p...)
		if c.Raw() == int64(len(p)) {
			r.heard = append(r.heard, "["+string(body)+"]")
			body = nil
		}
		return len(p)
	}
	return r
}

// Frames, raw bytes and other frames follow each other, wherever the bytes are split, and nothing is lost between them.
func TestRaw(t *testing.T) {
	whole := "one\nbody 7\nab\ncd\r\ntwo\nbody 0\nthree\ntext\nso\nlong.four\nstrings\n4:five,5:lines,six\nbody 2\n\n\nseven\n"
	want := `["one" "body 7" "[ab\ncd\r\n]" "two" "body 0" "three" "text" "<so\nlong>" "four" "strings" "five" "lines" "six" "body 2" "[\n\n]" "seven"], then EOF`
	for input, want := range map[string]string{
		whole:                             want,
		"body 5\nabc":                     `["body 5"], then unexpected EOF`,
		"body 5\n":                        `["body 5"], then unexpected EOF`,
		"text\nabc":                       `["text"], then unexpected EOF`,
		"text\n":                          `["text"], then EOF`,
		"text\nabc.":                      `["text" "<abc>"], then EOF`,
		"strings\n6:body 2,ab6:text \n,.": `["strings" "body 2" "[ab]" "text \n" "<>"], then EOF`,
	} {
		var last *recorder
		sim.CheckProtocol(t, []byte(input), func() sim.Subject {
			last = articles()
			return sim.Subject{Protocol: framed.New(frame.Lines(100), last), Result: last.result}
		})
		if got := last.result(); got != want {
			t.Errorf("%q: %s", input, got)
		}
	}
}

// attach gives h a connection in a world, and script its peer.
func attach(t *testing.T, f frame.Framing, h framed.Handler, script func(w *sim.World, p *sim.Peer)) {
	t.Helper()
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		script(w, w.AttachAccepted(w.Host("subject").Engine(), framed.New(f, h)))
	})
}

// A raw part that begins again with as many bytes, and one that begins within another.
func TestRawAgain(t *testing.T) {
	r := &recorder{onMade: func(c *framed.Conn) { c.SetRaw(2) }}
	r.onRaw = func(c *framed.Conn, p []byte) int {
		r.heard = append(r.heard, string(p))
		switch string(p) {
		case "ab":
			c.SetRaw(2)
		case "cd":
			c.SetRaw(4)
			return 1
		case "defg":
			c.SetRaw(3)
			return 1
		case "efg":
			c.SetRaw(0)
			return 1
		}
		return len(p)
	}
	attach(t, frame.Lines(10), r, func(_ *sim.World, p *sim.Peer) {
		p.Send("abcdefghi\nj\n")
		p.Close()
	})
	if want := []string{"ab", "cd", "defg", "efg", "fghi", "j"}; !slices.Equal(r.heard, want) {
		t.Errorf("heard %q", r.heard)
	}
}

// A handler that consumes nothing of what is raw gets it again with more, whatever it sets, or as frames.
func TestRawConsumesNothing(t *testing.T) {
	r := &recorder{onMade: func(c *framed.Conn) { c.SetRaw(-1) }}
	r.onRaw = func(c *framed.Conn, p []byte) int {
		if r.heard = append(r.heard, string(p)); len(r.heard) > 9 {
			panic("called again and again")
		}
		if len(p) < 4 {
			c.SetRaw(-1)
		} else {
			c.SetFraming(frame.Lines(10))
		}
		return 0
	}
	attach(t, frame.Lines(10), r, func(_ *sim.World, p *sim.Peer) {
		p.Send("ab", "cd\nef\n")
		p.Close()
	})
	if want := []string{"ab", "abcd\nef\n", "abcd", "ef"}; !slices.Equal(r.heard, want) {
		t.Errorf("heard %q", r.heard)
	}
}

// Frames that come back after another protocol has had its part begin anew when they are told to.
func TestComesBack(t *testing.T) {
	all, heard := handlers()
	h := all[7]
	p := framed.New(frame.Lines(10), h)
	var conn *framed.Conn
	h.(everything).onMade = func(c *framed.Conn) { conn = c }
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		e := w.Host("subject").Engine()
		peer := w.AttachAccepted(e, p)
		peer.Send("a\nb")
		e.Loop().Post(func() { conn.SetProtocol(upper{}) })
		peer.Expect("B")
		e.Loop().Post(func() {
			conn.SetProtocol(p)
			conn.SetFraming(conn.Framing())
		})
		peer.Settle()
		peer.CloseWrite()
		peer.Expect("bye\n")
		peer.ExpectEnd()
	})
	if !slices.Equal(*heard, []string{"EOF"}) {
		t.Errorf("heard %q", *heard)
	}
}

// What a handler does with a frame holds for those that have come with it.
func TestStops(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(c *framed.Conn)
		want string
	}{
		{"Close", func(c *framed.Conn) { c.Close() }, `["1" "2"], then <nil>`},
		{"Abort", func(c *framed.Conn) { c.Abort() }, `["1" "2"], then rondo: connection aborted`},
		{"CloseWrite", func(c *framed.Conn) { _ = c.CloseWrite() }, `["1" "2" "3" "4"], then EOF`},
		{"PauseReading", func(c *framed.Conn) { c.PauseReading() }, `["1" "2"], then <nil>`},
		{"a pause", func(c *framed.Conn) {
			c.PauseReading()
			c.Loop().After(time.Second, c.ResumeReading)
		}, `["1" "2" "3" "4"], then EOF`},
		{"ResumeReading", func(c *framed.Conn) { c.PauseReading(); c.ResumeReading() }, `["1" "2" "3" "4"], then EOF`},
	} {
		r := &recorder{}
		r.onFrame = func(c *framed.Conn, p []byte) {
			if string(p) == "2" {
				test.do(c)
			}
		}
		attach(t, frame.Lines(10), r, func(w *sim.World, p *sim.Peer) {
			p.Send("1\n2\n3\n4\n")
			if !strings.Contains(test.want, "aborted") {
				p.CloseWrite()
			}
			w.Sleep(time.Minute)
			if got := fmt.Sprint(r.result()); got != test.want {
				t.Errorf("%s: %s", test.name, got)
			}
		})
	}
}

// A protocol that takes over gets what the frames have left, and the handler hears no more of it.
func TestHandsOver(t *testing.T) {
	for _, lines := range []bool{false, true} { // to bytes as they are, or to other frames
		second := &recorder{onFrame: echo}
		r := &recorder{}
		r.onFrame = func(c *framed.Conn, p []byte) {
			if string(p) != "go" {
				return
			}
			if lines {
				c.SetProtocol(framed.New(frame.Netstrings(10), second))
			} else {
				c.SetProtocol(upper{})
			}
		}
		attach(t, frame.Lines(10), r, func(_ *sim.World, p *sim.Peer) {
			if lines {
				p.Send("hello\ngo\n3:abc,2", ":de,")
				p.Expect("3:abc,2:de,")
			} else {
				p.Send("hello\ngo\nabc\n", "de")
				p.Expect("ABC\nDE")
			}
			p.Close()
		})
		if !slices.Equal(r.heard, []string{"hello", "go"}) || r.lost || lines != second.lost {
			t.Errorf("%q, %v; the second %q", r.heard, r.lost, second.heard)
		}
	}
}

type upper struct{ rondo.Protocol }

func (upper) ConnectionLost(*rondo.Conn, error) {}
func (upper) DataReceived(c *rondo.Conn, p []byte) int {
	_, _ = c.Write(bytes.ToUpper(p))
	return len(p)
}

// What has come of a frame is looked at anew when the framing changes outside of a call, at once.
func TestChangesLater(t *testing.T) {
	for _, test := range []struct {
		name   string
		f      frame.Framing
		sent   string
		change func(c *framed.Conn)
		want   []string
	}{
		{"to raw bytes", frame.Lines(100), "abc", func(c *framed.Conn) { c.SetRaw(3) }, []string{"abc"}},
		{"to other frames", frame.Lines(100), "3:abc,2:d", func(c *framed.Conn) { c.SetFraming(frame.Netstrings(10)) }, []string{"abc"}},
		{"from a frame that needs more", frame.Uint32(1 << 16), "\x00\x00\x0f\x0a\n", func(c *framed.Conn) { c.SetFraming(frame.Lines(10)) }, []string{"\x00\x00\x0f", ""}},
		{"while paused", frame.Uint32(1 << 16), "\x00\x00\x0f\x0a\n", func(c *framed.Conn) {
			c.PauseReading()
			c.SetFraming(frame.Lines(10))
			c.ResumeReading()
		}, []string{"\x00\x00\x0f", ""}},
	} {
		r := &recorder{}
		r.onMade = func(c *framed.Conn) { c.Loop().After(time.Second, func() { test.change(c) }) }
		r.onRaw = func(_ *framed.Conn, p []byte) int {
			r.heard = append(r.heard, string(p))
			return len(p)
		}
		attach(t, test.f, r, func(w *sim.World, p *sim.Peer) {
			p.Send(test.sent)
			w.Sleep(2 * time.Second)
			if !slices.Equal(r.heard, test.want) {
				t.Errorf("%s: heard %q", test.name, r.heard)
			}
			p.Close()
		})
	}
}

// refuser says something to a peer that sends nonsense.
type refuser struct{ recorder }

func (r *refuser) FrameRefused(c *framed.Conn, err error) {
	_ = c.SendFrame([]byte("what? " + err.Error()))
}

// What is over the limit ends the connection with that error, and a handler may say so first.
func TestRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"1:a,1" + strings.Repeat("0", 30) + ":": "frame: a netstring is over the limit of 100 bytes",
		"1:a,hello":                             `frame: byte 0 of a netstring: "h" is no digit of its length`,
	} {
		r := &refuser{}
		attach(t, frame.Netstrings(100), r, func(_ *sim.World, p *sim.Peer) {
			p.Send(in)
			text := "what? " + want
			p.Expect(fmt.Sprintf("%d:%s,", len(text), text))
			if !p.Ended() {
				t.Errorf("%q: the connection stays", in)
			}
		})
		if r.err == nil || r.err.Error() != want || !slices.Equal(r.heard, []string{"a"}) {
			t.Errorf("%q: %v", in, r.result())
		}
	}
	r := &recorder{}
	attach(t, frame.Lines(100), r, func(_ *sim.World, p *sim.Peer) {
		for range 10 { // a line that never ends
			p.Send(strings.Repeat("x", 60))
		}
		p.Close()
	})
	var over *frame.LimitError
	if !errors.As(r.err, &over) || over.Limit != 100 {
		t.Errorf("a line that never ends: %v", r.err)
	}
}

// What cannot be read is not sent.
func TestSendFrame(t *testing.T) {
	var errs []error
	r := &recorder{}
	r.onMade = func(c *framed.Conn) {
		for _, text := range []string{"a\nb", "longer than ten", "fine"} {
			errs = append(errs, c.SendFrame([]byte(text)))
		}
		c.Close()
		errs = append(errs, c.SendFrame([]byte("late")))
	}
	attach(t, frame.LinesCRLF(10), r, func(_ *sim.World, p *sim.Peer) { p.Expect("fine\r\n") })
	var wrong *frame.SyntaxError
	var over *frame.LimitError
	if !errors.As(errs[0], &wrong) || !errors.As(errs[1], &over) || errs[2] != nil || !errors.Is(errs[3], rondo.ErrClosed) {
		t.Errorf("%v", errs)
	}
}

// A frame much longer than what is asked for at once comes whole.
func TestLongFrame(t *testing.T) {
	long := strings.Repeat("0123456789abcde\n", 60_000)
	r := &recorder{}
	attach(t, frame.Uint32(1<<20), r, func(_ *sim.World, p *sim.Peer) {
		whole, _ := frame.Uint32(1<<20).Append(nil, []byte(long))
		p.Send(string(whole))
		p.Close()
	})
	if len(r.heard) != 1 || r.heard[0] != long || r.err != io.EOF { //nolint:errorlint // documented to be bare
		t.Errorf("%d frames, %v", len(r.heard), r.err)
	}
}

// What peers merely promise is not memory: fifty of them that have sent a few bytes of a megabyte.
func TestPromises(t *testing.T) {
	const many = 50
	e := rig.New(t, rondo.Config{Loops: 1})
	ln, err := e.Listen("tcp", "127.0.0.1:0", framed.Handle(frame.Uint32(1<<20), func() framed.Handler { return &recorder{} }))
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range many {
		peer := rig.Dial(t, ln.Addr().String())
		for _, piece := range []string{"\x00\x0f\xff\xff", "a", "b"} {
			rig.Send(t, peer, piece)
			rig.On(t, e.Loop(), func() {}) // it has been read
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); held > many*64<<10 {
		t.Errorf("%d connections hold %d bytes", many, held)
	}
}
