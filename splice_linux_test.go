package rondo_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// spliced is what done was told.
type spliced struct {
	n   int64
	err error
}

// splicer is an engine with a source and a sink, and the peers of both.
type splicer struct {
	*engine
	loop     *rondo.Loop
	src, dst *rondo.Conn
	from, to *recorder
	in, out  net.Conn // src's peer, which sends; dst's, which receives
	splice   *rondo.Splice
	done     chan spliced
}

// streamPeer is what raw peers of both networks have.
type streamPeer interface {
	net.Conn
	CloseWrite() error
}

// newSplicer makes both connections. Their protocols are EOFReceivers, which must not be told of anything else.
func newSplicer(t testing.TB, e *engine, network string) *splicer {
	t.Helper()
	s := &splicer{engine: e, loop: e.Loops()[0], from: newRecorder(t), to: newRecorder(t), done: make(chan spliced, 2)}
	s.src, s.in = s.connectOver(t, network, halfCloser{s.from}, s.from)
	s.dst, s.out = s.connectOver(t, network, halfCloser{s.to}, s.to)
	return s
}

func (s *splicer) connectOver(t testing.TB, network string, p rondo.Protocol, r *recorder) (*rondo.Conn, net.Conn) {
	t.Helper()
	if network == "tcp" {
		peer := s.connect(p)
		return rig.Await(t, r.made), peer
	}
	path := filepath.Join(t.TempDir(), "s")
	ln, err := s.Listen("unix", path, func() rondo.Protocol { return p })
	if err != nil {
		t.Fatal(err)
	}
	peer, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	if err := peer.SetDeadline(time.Now().Add(rig.Patience)); err != nil {
		t.Fatal(err)
	}
	c := rig.Await(t, r.made)
	ln.Close()
	return c, peer
}

// begin starts the splice, on the loop.
func (s *splicer) begin() {
	var err error
	inside := true
	s.splice, err = s.src.SpliceTo(s.dst, func(n int64, err error) {
		if inside {
			s.t.Error("done was called from within SpliceTo")
		}
		s.done <- spliced{n, err}
	})
	inside = false
	if err != nil {
		s.t.Error(err)
	}
}

func (s *splicer) start(t testing.TB) {
	t.Helper()
	rig.On(t, s.loop, s.begin)
}

// fill sends data until nobody takes any more and the pipe holds some of it, and returns how much was taken.
func (s *splicer) fill(t testing.TB, data []byte) (sent int) {
	t.Helper()
	for held := 0; ; {
		if err := s.in.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		n, err := s.in.Write(data[sent:])
		sent += n
		if !isTimeout(err) {
			t.Fatalf("%d bytes were taken of a writer whose reader does not read (%v)", sent, err)
		}
		rig.On(t, s.loop, func() { held = rondo.Held(s.splice) })
		if n == 0 && held > 0 {
			break
		}
	}
	if err := s.in.SetWriteDeadline(time.Now().Add(rig.Patience)); err != nil {
		t.Fatal(err)
	}
	return sent
}

// random is data in which nothing can be exchanged or missing unseen.
func random(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(data)
	return data
}

func closeWrite(t testing.TB, c net.Conn) {
	t.Helper()
	if err := c.(streamPeer).CloseWrite(); err != nil {
		t.Error(err)
	}
}

// eachNetwork runs a test over TCP and over Unix sockets.
func eachNetwork(t *testing.T, test func(t *testing.T, network string)) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) { test(t, network) })
	}
}

// Megabytes both ways at once, in odd pieces, and both ends of file, one after the other.
func TestSpliceBothWays(t *testing.T) {
	eachNetwork(t, func(t *testing.T, network string) {
		e := newTestEngine(t, rondo.Config{})
		s := newSplicer(t, e, network)
		data := [2][]byte{random(8 << 20), random(5 << 20)}
		var ends [2]chan spliced
		rig.On(t, s.loop, func() {
			for i, way := range [2][2]*rondo.Conn{{s.src, s.dst}, {s.dst, s.src}} {
				ends[i] = make(chan spliced, 1)
				if _, err := way[0].SpliceTo(way[1], func(n int64, err error) {
					_ = way[1].CloseWrite()
					ends[i] <- spliced{n, err}
				}); err != nil {
					t.Error(err)
				}
			}
		})
		var all sync.WaitGroup
		for i, way := range [2][2]net.Conn{{s.in, s.out}, {s.out, s.in}} {
			all.Go(func() {
				for p, n := data[i], 1; len(p) > 0; n = n*3%70001 + 1 {
					k, err := way[0].Write(p[:min(n, len(p))])
					if err != nil {
						t.Error(err)
						return
					}
					p = p[k:]
				}
				closeWrite(t, way[0])
			})
			all.Go(func() {
				got, err := io.ReadAll(way[1])
				if err != nil || !bytes.Equal(got, data[i]) {
					t.Errorf("way %d: %d bytes of %d, or others (%v)", i, len(got), len(data[i]), err)
				}
			})
		}
		all.Wait()
		for i := range ends {
			if got := rig.Await(t, ends[i]); got != (spliced{int64(len(data[i])), nil}) {
				t.Errorf("way %d: done was told %v", i, got)
			}
		}
		if a, b := s.from.received.Load(), s.to.received.Load(); a+b > 0 {
			t.Errorf("the protocols have received %d and %d bytes", a, b)
		}
	})
}

// A reader that does not read stops the writer, and gets all of it when it does.
func TestSpliceSlowReader(t *testing.T) {
	eachNetwork(t, func(t *testing.T, network string) {
		e := newTestEngine(t, rondo.Config{})
		s := newSplicer(t, e, network)
		s.start(t)
		data := random(64 << 20)
		sent := s.fill(t, data)
		rig.On(t, s.loop, func() {
			if n := s.dst.Buffered(); n > 0 {
				t.Errorf("%d bytes are buffered here", n)
			}
		})
		data = data[:sent+1<<20]
		go func() {
			_, _ = s.in.Write(data[sent:])
			closeWrite(t, s.in)
		}()
		got := make([]byte, len(data))
		if n, err := io.ReadFull(s.out, got); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes of %d, or others (%v)", n, len(data), err)
		}
		if got := rig.Await(t, s.done); got != (spliced{int64(len(data)), nil}) {
			t.Errorf("done was told %v", got)
		}
	})
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// Data and the end of the stream that come together are told apart, and c's protocol hears of the end after done.
func TestSpliceEOF(t *testing.T) {
	eachNetwork(t, func(t *testing.T, network string) {
		for _, receiver := range []bool{true, false} {
			e := newTestEngine(t, rondo.Config{})
			s := newSplicer(t, e, network)
			told := make(chan bool, 1)
			rig.On(t, s.loop, func() {
				s.from.onEOF = func(*rondo.Conn) { told <- len(s.done) == 1 }
				if !receiver {
					s.src.SetProtocol(s.from)
				}
				rig.Send(t, s.in, "the last")
				closeWrite(t, s.in)
				s.begin()
			})
			rig.Expect(t, s.out, "the last")
			if receiver && !rig.Await(t, told) {
				t.Error("EOFReceived came before done")
			}
			if got := rig.Await(t, s.done); got != (spliced{8, nil}) {
				t.Errorf("done was told %v", got)
			}
			rig.On(t, s.loop, func() { // neither is closed, and the way back is open
				_, _ = s.src.Write([]byte("back"))
				_, _ = s.dst.Write([]byte("forth"))
				if s.src.LocalAddr() == nil {
					t.Error("src has ended")
				}
			})
			rig.Expect(t, s.in, "back")
			rig.Expect(t, s.out, "forth")
			rig.On(t, s.loop, func() {
				_ = s.src.Close()
				_ = s.dst.CloseWrite()
			})
			rig.Rest(t, s.out)
			if err := rig.Await(t, s.from.lost); err != nil {
				t.Error(err)
			}
		}
	})
}

// A stream that had ended before is passed on to its end too, and nobody is told twice.
func TestSpliceAfterEOF(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	s := newSplicer(t, e, "tcp")
	rig.On(t, s.loop, func() {
		s.from.onData = func(*rondo.Conn, []byte) int { return 0 }
		s.from.onEOF = func(*rondo.Conn) {
			s.from.onEOF = func(*rondo.Conn) { t.Error("told twice") }
			s.begin()
		}
	})
	rig.Send(t, s.in, "all")
	closeWrite(t, s.in)
	rig.Expect(t, s.out, "all")
	if got := rig.Await(t, s.done); got != (spliced{3, nil}) {
		t.Errorf("done was told %v", got)
	}
	rig.On(t, s.loop, func() {})
}

// What dst was given before goes out first, then what c's protocol has left, then what comes.
func TestSpliceOrder(t *testing.T) {
	eachNetwork(t, func(t *testing.T, network string) {
		for _, within := range []bool{true, false} {
			e := newTestEngine(t, rondo.Config{})
			s := newSplicer(t, e, network)
			// More than the kernel takes, so that it waits here.
			first, header, body := random(12<<20), "header", random(1<<20)
			left := make(chan struct{})
			rig.On(t, s.loop, func() {
				s.from.onData = func(_ *rondo.Conn, p []byte) int {
					if len(p) < len(header)+4 {
						return 0
					}
					if n, err := s.dst.Write(first); n != len(first) {
						t.Error(err)
					}
					if within {
						s.begin()
					}
					close(left)
					return len(header)
				}
			})
			rig.Send(t, s.in, header+"left")
			rig.Await(t, left)
			if !within {
				s.start(t)
			}
			go func() {
				_, _ = s.in.Write(body)
				closeWrite(t, s.in)
			}()
			want := append(append(first, "left"...), body...)
			got := make([]byte, len(want))
			if n, err := io.ReadFull(s.out, got); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes of %d, or others (%v)", n, len(want), err)
			}
			if got := rig.Await(t, s.done); got != (spliced{4 + 1<<20, nil}) {
				t.Errorf("done was told %v", got)
			}
		}
	})
}

// Stop in the middle, with the pipe full: dst has what was taken, c's protocol gets the rest, and nothing is lost between them.
func TestSpliceStop(t *testing.T) {
	eachNetwork(t, func(t *testing.T, network string) {
		for _, closing := range []bool{false, true} {
			e := newTestEngine(t, rondo.Config{})
			s := newSplicer(t, e, network)
			var later []byte
			ended := make(chan struct{})
			rig.On(t, s.loop, func() {
				s.from.onData = func(_ *rondo.Conn, p []byte) int { later = append(later, p...); return len(p) }
				s.from.onEOF = func(*rondo.Conn) { close(ended) }
				s.begin()
			})
			data := random(64 << 20)
			sent := s.fill(t, data)
			want := rondo.ErrSpliceStopped
			rig.On(t, s.loop, func() {
				if closing { // likewise, what was taken is sent before that
					_ = s.dst.CloseWrite()
					want = rondo.ErrClosed
				} else {
					s.splice.Stop()
					s.splice.Stop()
					_ = s.dst.CloseWrite()
				}
				if len(s.done) > 0 {
					t.Error("done was called from within Stop")
				}
			})
			closeWrite(t, s.in)
			got := rig.Await(t, s.done)
			if got.err != want { //nolint:errorlint // documented to be bare
				t.Errorf("done was told %v", got)
			}
			forwarded := rig.Rest(t, s.out)
			rig.Await(t, ended)
			if int64(len(forwarded)) != got.n || !bytes.Equal(append(forwarded, later...), data[:sent]) {
				t.Errorf("%d bytes went to dst, of which done was told %d; %d to the protocol; %d were sent", len(forwarded), got.n, len(later), sent)
			}
			rig.On(t, s.loop, func() {
				if n := s.splice.Moved(); n != got.n {
					t.Errorf("Moved is %d", n)
				}
			})
		}
	})
}
