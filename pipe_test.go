package rondo_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/sim"
)

// proxying is a proxy's side of a client until its target answers.
type proxying struct {
	network, target string
	piped           chan rondo.Piped
	joined          chan [2]*rondo.Conn // nil: nobody wants to know
}

func (p *proxying) ConnectionMade(c *rondo.Conn) {
	c.PauseReading()
	d := rondo.Dialer{Loop: c.Loop()}
	d.Dial(context.Background(), c.Loop().Engine(), p.network, p.target, &idler{}).OnDone(func(to *rondo.Conn, err error) {
		if err == nil {
			_, err = rondo.Pipe(c, to, func(r rondo.Piped) { p.piped <- r })
		}
		if err == nil && p.joined != nil {
			p.joined <- [2]*rondo.Conn{c, to}
		}
		if err != nil {
			c.Abort()
			if to != nil {
				to.Abort()
			}
		}
	})
}

func (*proxying) DataReceived(*rondo.Conn, []byte) int  { return 0 }
func (*proxying) ConnectionLost(_ *rondo.Conn, _ error) {}

// idler does nothing.
type idler struct{}

func (*idler) ConnectionMade(*rondo.Conn)               {}
func (*idler) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }
func (*idler) ConnectionLost(_ *rondo.Conn, _ error)    {}

// piping is a proxy on real sockets: a client's side, its server's, and what became of it.
func piping(t *testing.T, network string) (client, server net.Conn, piped chan rondo.Piped) {
	t.Helper()
	client, server, p := pipingOver(t, newTestEngine(t, rondo.Config{}), network)
	return client, server, p.piped
}

// pipingOver is piping over that engine.
func pipingOver(t *testing.T, e *engine, network string) (client, server net.Conn, p *proxying) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	target, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	p = &proxying{network, target.Addr().String(), make(chan rondo.Piped, 1), make(chan [2]*rondo.Conn, 1)}
	addr := e.serve(func() rondo.Protocol { return p })
	if client, err = net.Dial("tcp", addr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if server, err = target.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return client, server, p
}

type writeCloser interface{ CloseWrite() error }

// What goes in comes out, both ways at once, small and large, and each end is passed on.
func TestPipe(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			client, server, piped := piping(t, network)
			var want bytes.Buffer
			for i := range 300 {
				want.Write(bytes.Repeat([]byte{byte(i)}, 1+i*i))
			}
			failed := make(chan error, 4)
			for _, c := range []net.Conn{client, server} {
				go func() {
					for rest, i := want.Bytes(), 0; len(rest) > 0; i++ {
						n := min(len(rest), 1+i%7*9000)
						if _, err := c.Write(rest[:n]); err != nil {
							failed <- err
							return
						}
						rest = rest[n:]
					}
					failed <- c.(writeCloser).CloseWrite()
				}()
				go func() {
					got, err := io.ReadAll(c)
					if err == nil && !bytes.Equal(got, want.Bytes()) {
						err = errors.New("other bytes came")
					}
					failed <- err
				}()
			}
			for range 4 {
				if err := rig.Await(t, failed); err != nil {
					t.Error(err)
				}
			}
			if got, want := rig.Await(t, piped), (rondo.Piped{FromA: int64(want.Len()), FromB: int64(want.Len())}); got != want {
				t.Errorf("it ended with %+v, not %+v", got, want)
			}
		})
	}
}

// A side that has ended its direction still hears the other.
func TestPipeHalfClosed(t *testing.T) {
	client, server, piped := piping(t, "tcp")
	if _, err := client.Write([]byte("question")); err != nil {
		t.Fatal(err)
	}
	_ = client.(writeCloser).CloseWrite()
	if got, err := io.ReadAll(server); string(got) != "question" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := server.Write(bytes.Repeat([]byte("answer"), 100_000)); err != nil {
		t.Fatal(err)
	}
	_ = server.Close()
	if got, err := io.ReadAll(client); len(got) != 600_000 || err != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if got, want := rig.Await(t, piped), (rondo.Piped{FromA: 8, FromB: 600_000}); got != want {
		t.Errorf("it ended with %+v, not %+v", got, want)
	}
}

// A reset is passed on as one.
func TestPipeReset(t *testing.T) {
	client, server, piped := piping(t, "tcp")
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(server, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	_ = client.(*net.TCPConn).SetLinger(0)
	_ = client.Close()
	if _, err := server.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the other side heard %v", err)
	}
	if got := rig.Await(t, piped); got.Err == nil || got.FromA != 1 {
		t.Errorf("it ended with %+v", got)
	}
}

// Who does not read is not written to without end, whether the bytes are copied or spliced: the pipe stops reading, keeps little, and what it has taken arrives.
func TestPipeBackpressure(t *testing.T) {
	for _, way := range []string{"spliced", "copied"} {
		t.Run(way, func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{})
			if way == "copied" {
				e = copying(t)
			}
			client, server, p := pipingOver(t, e, "tcp")
			_ = server.(*net.TCPConn).SetReadBuffer(64 << 10)
			pair := rig.Await(t, p.joined)
			const most = 64 << 20 // several times what the kernel keeps
			type written struct {
				n   int
				err error
			}
			wrote := make(chan written, 1)
			go func() {
				n, err := client.Write(make([]byte, most))
				wrote <- written{n, err}
			}()
			rig.Eventually(t, "the pipe has stopped reading", func() (stopped bool) {
				select {
				case w := <-wrote:
					t.Fatalf("%d bytes were taken of a client whose server does not read (%v)", w.n, w.err)
				default:
				}
				rig.On(t, e.Loop(), func() {
					reads, _ := rondo.Awaits(pair[0])
					_, waits := rondo.Awaits(pair[1])
					if n := pair[1].Buffered(); n > 256<<10 {
						t.Errorf("%d bytes are kept", n)
					}
					stopped = !reads && waits
				})
				return stopped
			})
			if err := client.SetWriteDeadline(time.Unix(1, 0)); err != nil {
				t.Fatal(err)
			}
			w := rig.Await(t, wrote)
			if w.n >= most {
				t.Errorf("all was taken, and nobody reads")
			}
			_ = client.(writeCloser).CloseWrite()
			if n, err := io.Copy(io.Discard, server); n != int64(w.n) || err != nil {
				t.Errorf("%d bytes of %d came, %v", n, w.n, err)
			}
		})
	}
}

func TestPipeRefuses(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	addr := e.serve(func() rondo.Protocol { return echo{} })
	var conns []*rondo.Conn
	for _, l := range e.Loops() {
		conns = append(conns, rig.Result(t, rondo.Dialer{Loop: l}.Dial(t.Context(), e.Engine, "tcp", addr, &idler{})))
	}
	other := rig.Result(t, rondo.Dialer{Loop: e.Loops()[0]}.Dial(t.Context(), e.Engine, "tcp", addr, &idler{}))
	rig.On(t, e.Loops()[0], func() {
		if _, err := rondo.Pipe(conns[0], conns[1], nil); !errors.Is(err, rondo.ErrDifferentLoops) {
			t.Errorf("of different loops: %v", err)
		}
		other.Abort()
		if _, err := rondo.Pipe(conns[0], other, nil); !errors.Is(err, rondo.ErrClosed) {
			t.Errorf("one that has ended: %v", err)
		}
	})
}

// Under faults no byte is lost that an end in good order stands behind, and none is made up.
func TestPipeChaos(t *testing.T) {
	seeds := 200
	if testing.Short() {
		seeds = 20
	}
	faults := sim.Faults{Refuse: 0.05, Lose: 0.1, Abort: 0.05, Reset: 0.2, Stall: 0.2, Cut: 0.5, Pause: 5 * time.Second, Partition: 5 * time.Second, Until: 20 * time.Second}
	whole := 0
	sim.Search(t, seeds, sim.Config{Faults: faults}, func(w *sim.World) {
		w.Host("server").Start(listening)
		w.Host("proxy").Start(func(h *sim.Host) error {
			_, err := h.Engine().Listen("tcp", ":80", func() rondo.Protocol {
				return &proxying{"tcp", "server:7000", make(chan rondo.Piped, 1), nil}
			})
			return err
		})
		client := w.Host("client")
		for range 3 {
			c, err := client.Engine().DialContext(t.Context(), "tcp", "proxy:80")
			if err != nil {
				w.Sleep(time.Second)
				continue
			}
			_ = c.SetDeadline(client.Engine().Loop().Now().Add(time.Minute))
			want := bytes.Repeat([]byte("to be whole "), 1+w.Rand().IntN(20_000))
			client.Go(func() {
				_, _ = c.Write(want)
				_ = c.(writeCloser).CloseWrite()
			})
			got, err := io.ReadAll(c)
			switch {
			case !bytes.HasPrefix(want, got):
				w.Errorf("other bytes came back")
			case err == nil && len(got) < len(want):
				w.Errorf("%d bytes of %d, and an end in good order", len(got), len(want))
			case err == nil:
				whole++
			}
			_ = c.Close()
		}
	})
	if whole < seeds {
		t.Errorf("only %d of %d came back", whole, 3*seeds)
	}
}

// listening serves timed on a host.
func listening(h *sim.Host) error {
	_, err := h.Engine().Listen("tcp", ":7000", func() rondo.Protocol { return &timed{nil, make(chan error, 1)} })
	return err
}
