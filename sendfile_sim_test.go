package rondo_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
)

// fileServer sends "head", a file and "tail" to whom has connected, and then does something.
type fileServer struct {
	w    *sim.World
	open func() fs.File
	then func(c *rondo.Conn) error
	told []sentFile
	lost []error
	at   time.Duration // when
}

func (s *fileServer) ConnectionMade(c *rondo.Conn) {
	_, _ = c.Write([]byte("head"))
	if _, err := c.SendFile(s.open(), 0, -1, func(n int64, err error) { s.told = append(s.told, sentFile{n, err}) }); err != nil {
		s.w.Errorf("%v", err)
	}
	_, _ = c.Write([]byte("tail"))
	if err := s.then(c); err != nil {
		s.w.Errorf("%v", err)
	}
}
func (*fileServer) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }

func (s *fileServer) ConnectionLost(_ *rondo.Conn, err error) {
	s.lost = append(s.lost, err)
	s.at = s.w.Elapsed()
}

// serveFile has a server of the world's give that file, and dials it.
func serveFile(t *testing.T, w *sim.World, cfg rondo.Config, data []byte, then func(*rondo.Conn) error) (*fileServer, net.Conn) {
	t.Helper()
	s := &fileServer{w: w, then: then, open: func() fs.File {
		f, err := fstest.MapFS{"file": {Data: data}}.Open("file")
		if err != nil {
			w.Fatalf("%v", err)
		}
		return f
	}}
	e, err := w.Host("server").New(cfg)
	if err != nil {
		w.Fatalf("%v", err)
	}
	if _, err := e.Listen("tcp", ":80", func() rondo.Protocol { return s }); err != nil {
		w.Fatalf("%v", err)
	}
	c, err := w.Host("client").Engine().DialContext(t.Context(), "tcp", "server:80")
	if err != nil {
		w.Fatalf("%v", err)
	}
	return s, c
}

// In a simulation a file goes out in its place too, whether it is read on the loop or off it.
func TestSendFileInWorld(t *testing.T) {
	data := scrambled(700_000)
	for name, open := range map[string]func(w *sim.World) fs.File{
		"on the loop": func(*sim.World) fs.File { return fileWith(t, data) },
		"off the loop": func(w *sim.World) fs.File {
			f, err := fstest.MapFS{"file": {Data: data}}.Open("file")
			if err != nil {
				w.Fatalf("%v", err)
			}
			return f
		},
	} {
		t.Run(name, func(t *testing.T) {
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				s, c := serveFile(t, w, rondo.Config{}, data, (*rondo.Conn).Close)
				s.open = func() fs.File { return open(w) }
				got, err := io.ReadAll(c)
				if want := bytes.Join([][]byte{[]byte("head"), data, []byte("tail")}, nil); err != nil || !bytes.Equal(got, want) {
					w.Errorf("%d bytes came (%v), want %d, and these; equal before %d", len(got), err, len(want), common(got, want))
				}
				if len(s.told) != 1 || s.told[0] != (sentFile{int64(len(data)), nil}) || len(s.lost) != 1 || s.lost[0] != nil {
					w.Errorf("done was told %v, and the end %v", s.told, s.lost)
				}
			})
		})
	}
}

// Under faults the client never takes a part of the file for all of it, and done is told once, whatever happens.
func TestSendFileChaos(t *testing.T) {
	seeds := 100
	if testing.Short() {
		seeds = 20
	}
	whole, cut := 0, 0
	data := scrambled(300_000)
	faults := sim.Faults{Reset: 0.2, Stall: 0.2, Cut: 0.5, Pause: 5 * time.Second, Partition: 5 * time.Second, Until: 20 * time.Second}
	sim.Search(t, seeds, sim.Config{Faults: faults}, func(w *sim.World) {
		s, c := serveFile(t, w, rondo.Config{}, data, (*rondo.Conn).Close)
		_ = c.SetDeadline(w.Host("client").Engine().Loop().Now().Add(2 * time.Minute))
		got, err := io.ReadAll(c)
		_ = c.Close()
		want := bytes.Join([][]byte{[]byte("head"), data, []byte("tail")}, nil)
		switch {
		case !bytes.HasPrefix(want, got):
			w.Errorf("other bytes came, from %d on", common(got, want))
		case err == nil && len(got) < len(want):
			w.Errorf("%d bytes of %d, and an end in good order", len(got), len(want))
		case err == nil:
			whole++
		default:
			cut++
		}
		w.Sleep(5 * time.Minute)
		if len(s.lost) > 1 || len(s.told) != len(s.lost) || len(s.told) > 0 && s.told[0].err == nil && s.told[0].n != int64(len(data)) {
			w.Errorf("done was told %v, and the end %v", s.told, s.lost)
		}
	})
	if whole == 0 || cut == 0 {
		t.Errorf("%d were whole and %d were not: that shows nothing of the others", whole, cut)
	}
}

// A peer that reads a file slowly is waited for when the connection is closed, however long it takes in all; one that reads nothing is given its time, and no more. Both ways of closing are so.
func TestSendFileClosePatience(t *testing.T) {
	const patience = 20 * time.Second
	data := scrambled(2 << 20)
	for how, then := range map[string]func(c *rondo.Conn) error{
		"Close":          (*rondo.Conn).Close,
		"CloseLingering": func(c *rondo.Conn) error { return c.CloseLingering(0, 0) },
	} {
		t.Run(how+", a slow reader", func(t *testing.T) {
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				s, c := serveFile(t, w, rondo.Config{CloseTimeout: patience}, data, then)
				var got []byte
				piece := make([]byte, 64<<10)
				err := error(nil)
				for n := 0; err == nil; got = append(got, piece[:n]...) {
					w.Sleep(patience * 3 / 4)
					n, err = c.Read(piece)
				}
				if !errors.Is(err, io.EOF) || len(got) != len(data)+8 || !bytes.Equal(got[4:len(got)-4], data) {
					w.Errorf("%d bytes of %d came, and then %v", len(got), len(data)+8, err)
				}
				_ = c.Close()
				w.Sleep(time.Minute)
				if len(s.lost) != 1 || s.lost[0] != nil || w.Elapsed() < 5*patience {
					w.Errorf("after %v the end was told %v", w.Elapsed(), s.lost)
				}
			})
		})
		t.Run(how+", one that does not read", func(t *testing.T) {
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				s, c := serveFile(t, w, rondo.Config{CloseTimeout: patience}, data, then)
				w.Sleep(10 * patience)
				if len(s.lost) != 1 || !errors.Is(s.lost[0], os.ErrDeadlineExceeded) || s.at < patience || s.at > 3*patience {
					w.Errorf("after %v the end was told %v", s.at, s.lost)
				}
				if len(s.told) != 1 || !errors.Is(s.told[0].err, os.ErrDeadlineExceeded) || s.told[0].n == int64(len(data)) {
					w.Errorf("done was told %v", s.told)
				}
				_ = c.Close()
			})
		})
	}
	// A peer that has read all and says nothing more is given the time to linger, after a file as after bytes.
	t.Run("CloseLingering, a silent reader", func(t *testing.T) {
		sim.Run(t, sim.Config{}, func(w *sim.World) {
			s, c := serveFile(t, w, rondo.Config{CloseTimeout: patience}, data, func(c *rondo.Conn) error { return c.CloseLingering(4*time.Second, 0) })
			if got, err := io.ReadAll(c); err != nil || len(got) != len(data)+8 {
				w.Errorf("%d bytes came, %v", len(got), err)
			}
			read := w.Elapsed()
			w.Sleep(5 * patience)
			if len(s.lost) != 1 || s.lost[0] != nil || s.at-read > 6*time.Second {
				w.Errorf("%v after all was read the end was told %v", s.at-read, s.lost)
			}
			_ = c.Close()
		})
	})
}
