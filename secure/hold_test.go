package secure_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/secure"
	"github.com/rondo-go/rondo/sim"
)

// upgraded makes its connection secure at once, in either role, and then does what a test wants, while the handshake is under way.
type upgraded struct {
	cfg    secure.Config
	server bool
	events *events
	then   func(c *rondo.Conn)
}

func (u *upgraded) ConnectionMade(c *rondo.Conn) {
	upgrade := u.cfg.UpgradeClient
	if u.server {
		upgrade = u.cfg.UpgradeServer
	}
	upgrade(c, u.events).OnDone(func(_ tls.ConnectionState, err error) {
		if u.events.err = err; err != nil {
			u.events.add("failed")
		}
	})
	u.then(c)
}
func (*upgraded) DataReceived(*rondo.Conn, []byte) int { return 0 }
func (*upgraded) ConnectionLost(*rondo.Conn, error)    {}

// events is the protocol of an upgraded connection, which notes what it is told.
type events struct {
	list []string
	err  error // of the handshake
	more func(c *rondo.Conn)
	done func() // after the last
}

func (e *events) add(what string) {
	e.list = append(e.list, what)
	if e.done != nil && (what == "failed" || strings.HasPrefix(what, "lost")) {
		e.done()
	}
}
func (e *events) ConnectionMade(*rondo.Conn) { e.add("made") }
func (e *events) DataReceived(_ *rondo.Conn, p []byte) int {
	e.add(fmt.Sprintf("%d bytes", len(p)))
	return len(p)
}
func (e *events) ConnectionLost(_ *rondo.Conn, err error) { e.add(fmt.Sprintf("lost: %v", err)) }
func (e *events) PauseWriting(*rondo.Conn)                { e.add("paused") }
func (e *events) ResumeWriting(c *rondo.Conn) {
	e.add("resumed")
	if e.more != nil {
		e.more(c)
	}
}

// other is the peer of an upgraded connection, by the stock crypto/tls.
func other(raw net.Conn, upgradedIsServer bool, server, client *tls.Config) *tls.Conn {
	if upgradedIsServer {
		return tls.Client(raw, client)
	}
	return tls.Server(raw, server)
}

// bothRoles runs a test for an upgraded connection as server and as client, with each version.
func bothRoles(t *testing.T, test func(t *testing.T, isServer bool, cfg secure.Config, server, client *tls.Config)) {
	for name, version := range versions {
		for _, isServer := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/server=%v", name, isServer), func(t *testing.T) {
				server, client := configs(t, version)
				cfg := secure.Config{TLS: client}
				if isServer {
					cfg.TLS = server
				}
				test(t, isServer, cfg, server, client)
			})
		}
	}
}

// What is written and closed during the handshake arrives behind it, and an end in good order.
func TestCloseDuringHandshake(t *testing.T) {
	bothRoles(t, func(t *testing.T, isServer bool, cfg secure.Config, server, client *tls.Config) {
		lost := make(chan struct{})
		ev := &events{done: func() { close(lost) }}
		e := engine(t)
		ln, err := e.Listen("tcp", "127.0.0.1:0", func() rondo.Protocol {
			return &upgraded{cfg, isServer, ev, func(c *rondo.Conn) {
				_, _ = c.Write([]byte("hello"))
				_ = c.Close()
				if _, err := c.Write([]byte("too late")); !errors.Is(err, rondo.ErrClosed) {
					t.Errorf("Write after Close: %v", err)
				}
				if err := c.CloseWrite(); !errors.Is(err, rondo.ErrClosed) {
					t.Errorf("CloseWrite after Close: %v", err)
				}
				if n := c.Buffered(); n != 5 {
					t.Errorf("%d bytes are buffered", n)
				}
			}}
		})
		if err != nil {
			t.Fatal(err)
		}
		peer := other(rig.Dial(t, ln.Addr().String()), isServer, server, client)
		if got, err := io.ReadAll(peer); string(got) != "hello" || err != nil {
			t.Errorf("the peer got %q, %v", got, err)
		}
		rig.Await(t, lost)
		rig.On(t, e.Loop(), func() {
			if want := []string{"made", "lost: <nil>"}; !slices.Equal(ev.list, want) || ev.err != nil {
				t.Errorf("the protocol was told %q (%v), want %q", ev.list, ev.err, want)
			}
		})
	})
}

// The handshake is waited for as long as its timeout says, also if the peer takes longer than a closed connection is given, and no longer; with nothing to be sent it is given up at once. One
// that fails ends the connection in any case.
func TestCloseDuringHandshakeTimes(t *testing.T) {
	writes := func(c *rondo.Conn) {
		_, _ = c.Write([]byte("hello"))
		_ = c.Close()
	}
	closes := func(c *rondo.Conn) { _ = c.Close() }
	lingers := func(c *rondo.Conn) {
		_, _ = c.Write([]byte("hello"))
		_ = c.CloseLingering(time.Second, 0)
	}
	for name, c := range map[string]struct {
		then     func(c *rondo.Conn)
		after    time.Duration // the peer begins
		says     string        // in place of a handshake
		got      string
		from, to time.Duration // when the connection has ended
		want     string        // that the protocol is told
		err      string
	}{
		"late":                      {writes, 8 * time.Second, "", "hello", 8 * time.Second, 9 * time.Second, "made, lost: <nil>", ""},
		"late and lingering":        {lingers, 8 * time.Second, "", "hello", 8 * time.Second, 9 * time.Second, "made, lost: <nil>", ""},
		"too late":                  {writes, 15 * time.Second, "", "", 10 * time.Second, 11 * time.Second, "failed", "timeout"},
		"nothing was written":       {closes, time.Second, "", "", 0, time.Second, "failed", "unexpected EOF"},
		"what comes is no TLS":      {writes, time.Second, "\x16\x03\x01\xff\xff\x00 what is this?", "", time.Second, 2 * time.Second, "failed", "tls: "},
		"what comes is a bad hello": {writes, time.Second, "\x16\x03\x01\x00\x05hello", "", time.Second, 2 * time.Second, "failed", "tls: "},
	} {
		t.Run(name, func(t *testing.T) {
			bothRoles(t, func(t *testing.T, isServer bool, cfg secure.Config, server, client *tls.Config) {
				sim.Run(t, sim.Config{}, func(w *sim.World) {
					var at time.Duration
					ev := &events{done: func() { at = w.Elapsed() }}
					e, err := w.Host("server").New(rondo.Config{CloseTimeout: 2 * time.Second})
					if err != nil {
						w.Fatalf("%v", err)
					}
					if _, err := e.Listen("tcp", ":443", func() rondo.Protocol { return &upgraded{cfg, isServer, ev, c.then} }); err != nil {
						w.Fatalf("listening: %v", err)
					}
					raw, err := w.Host("client").Engine().DialContext(background, "tcp", "server:443")
					if err != nil {
						w.Fatalf("connecting: %v", err)
					}
					w.Sleep(c.after)
					var got []byte
					if c.says != "" {
						_, _ = io.WriteString(raw, c.says)
						got, _ = io.ReadAll(raw)
						if isServer && (len(got) == 0 || got[0] != 21) {
							w.Errorf("%q is no alert", got)
						}
						got = nil
					} else if peer := other(raw, isServer, server, client); c.got != "" {
						if got, err = io.ReadAll(peer); err != nil {
							w.Errorf("reading: %v", err)
						}
					} else if peer.Handshake() == nil {
						w.Errorf("there was a handshake")
					}
					if string(got) != c.got {
						w.Errorf("the peer got %q, want %q", got, c.got)
					}
					_ = raw.Close()
					w.Sleep(time.Second)
					if at < c.from || at >= c.to {
						w.Errorf("it ended at %v", at)
					}
					if told := strings.Join(ev.list, ", "); told != c.want {
						w.Errorf("the protocol was told %q, want %q", told, c.want)
					}
					if (ev.err == nil) != (c.err == "") || ev.err != nil && !strings.Contains(ev.err.Error(), c.err) {
						w.Errorf("the handshake: %v, want %q", ev.err, c.err)
					}
				})
			})
		})
	}
}

// An engine that shuts down waits for what was written during a handshake.
func TestShutdownDuringHandshake(t *testing.T) {
	bothRoles(t, func(t *testing.T, isServer bool, cfg secure.Config, server, client *tls.Config) {
		sim.Run(t, sim.Config{}, func(w *sim.World) {
			ev := &events{}
			e := w.Host("server").Engine()
			if _, err := e.Listen("tcp", ":443", func() rondo.Protocol {
				return &upgraded{cfg, isServer, ev, func(c *rondo.Conn) { _, _ = c.Write([]byte("hello")) }}
			}); err != nil {
				w.Fatalf("listening: %v", err)
			}
			raw, err := w.Host("client").Engine().DialContext(background, "tcp", "server:443")
			if err != nil {
				w.Fatalf("connecting: %v", err)
			}
			w.Sleep(time.Second)
			var shut error
			w.Host("server").Go(func() { shut = e.Shutdown(background) })
			w.Sleep(time.Second)
			if got, err := io.ReadAll(other(raw, isServer, server, client)); string(got) != "hello" || err != nil {
				w.Errorf("the peer got %q, %v", got, err)
			}
			_ = raw.Close()
			w.Sleep(time.Second)
			if d := w.Elapsed(); shut != nil || d > 5*time.Second {
				w.Errorf("the shutdown: %v, at %v", shut, d)
			}
		})
	})
}

// A file that is sent during the handshake is not read before that is over, and arrives whole then, within a limit that is much smaller; so does what is written behind it.
func TestSendFileDuringHandshake(t *testing.T) {
	size := int64(100 << 20)
	if testing.Short() {
		size = 10 << 20
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	for at := int64(0); at < size; at += 1_000_003 {
		if _, err := fmt.Fprintf(io.NewOffsetWriter(f, at), "this is %d", at); err != nil {
			t.Fatal(err)
		}
	}
	want := sha256.New()
	if _, err := io.Copy(want, io.MultiReader(strings.NewReader("<"), io.NewSectionReader(f, 0, size), strings.NewReader(">"))); err != nil {
		t.Fatal(err)
	}
	bothRoles(t, func(t *testing.T, isServer bool, cfg secure.Config, server, client *tls.Config) {
		type sending struct {
			c *rondo.Conn
			f *rondo.FileTransfer
		}
		begun, done, lost := make(chan sending, 1), make(chan error, 1), make(chan struct{})
		ev := &events{done: func() { close(lost) }}
		e := engine(t)
		ln, err := e.Listen("tcp", "127.0.0.1:0", func() rondo.Protocol {
			return &upgraded{cfg, isServer, ev, func(c *rondo.Conn) {
				c.SetWriteLimits(16<<10, 64<<10, 256<<10)
				_, _ = c.Write([]byte("<"))
				sent, err := c.SendFile(f, 0, -1, func(n int64, err error) {
					if n != size {
						err = errors.Join(err, fmt.Errorf("%d bytes were sent", n))
					}
					done <- err
				})
				if err != nil {
					done <- err
				}
				_, _ = c.Write([]byte(">"))
				_ = c.Close()
				begun <- sending{c, sent}
			}}
		})
		if err != nil {
			t.Fatal(err)
		}
		raw := rig.Dial(t, ln.Addr().String())
		s := rig.Await(t, begun)
		check := func() {
			rig.On(t, e.Loop(), func() {
				if n := s.c.Buffered(); n > 200<<10 {
					t.Errorf("%d bytes are kept", n)
				}
			})
		}
		for range 10 {
			check()
		}
		rig.On(t, e.Loop(), func() {
			if n := s.f.Sent(); n != 0 {
				t.Errorf("%d bytes were sent before the handshake", n)
			}
		})
		got := sha256.New()
		peer := other(raw, isServer, server, client)
		for {
			n, err := io.CopyN(got, peer, 4<<20)
			check()
			if n < 4<<20 {
				if !errors.Is(err, io.EOF) {
					t.Errorf("reading: %v", err)
				}
				break
			}
		}
		if !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
			t.Error("other bytes came")
		}
		if err := rig.Await(t, done); err != nil {
			t.Errorf("done was told %v", err)
		}
		rig.Await(t, lost)
		if want := []string{"made", "lost: <nil>"}; !slices.Equal(ev.list, want) {
			t.Errorf("the protocol was told %q, want %q", ev.list, want)
		}
	})
}

// A file whose handshake fails is not sent, and whoever sends it is told so.
func TestSendFileHandshakeFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	bothRoles(t, func(t *testing.T, isServer bool, cfg secure.Config, _, _ *tls.Config) {
		done := make(chan error, 1)
		e := engine(t)
		ln, err := e.Listen("tcp", "127.0.0.1:0", func() rondo.Protocol {
			return &upgraded{cfg, isServer, &events{}, func(c *rondo.Conn) {
				_, _ = c.Write([]byte("secret"))
				if _, err := c.SendFile(f, 0, -1, func(n int64, err error) {
					if n != 0 {
						t.Errorf("%d bytes were sent", n)
					}
					done <- err
				}); err != nil {
					done <- err
				}
			}}
		})
		if err != nil {
			t.Fatal(err)
		}
		raw := rig.Dial(t, ln.Addr().String())
		_, _ = io.WriteString(raw, "\x16\x03\x01\xff\xff\x00")
		if got, _ := io.ReadAll(raw); bytes.Contains(got, []byte("secret")) {
			t.Errorf("the peer got %q", got)
		}
		if err := rig.Await(t, done); !errors.Is(err, rondo.ErrClosed) {
			t.Errorf("done was told %v", err)
		}
		e.Log.Await(t, "a handshake failed")
	})
}

// A producer that writes during the handshake is told to pause, and to go on when that is over. Who does not listen ends at the limit.
func TestWaterMarksDuringHandshake(t *testing.T) {
	const size = 64 << 10
	bothRoles(t, func(t *testing.T, isServer bool, cfg secure.Config, server, client *tls.Config) {
		begun, lost := make(chan *rondo.Conn, 1), make(chan struct{})
		ev := &events{done: func() { close(lost) }}
		sent := 0
		produce := func(c *rondo.Conn) {
			for n := len(ev.list); sent < size && (len(ev.list) == n || ev.list[len(ev.list)-1] != "paused"); {
				n, err := c.Write(bytes.Repeat([]byte("x"), 100))
				if err != nil {
					t.Errorf("Write: %v", err)
					return
				}
				sent += n
			}
			if sent >= size {
				_ = c.Close()
			}
		}
		ev.more = produce
		e := engine(t)
		ln, err := e.Listen("tcp", "127.0.0.1:0", func() rondo.Protocol {
			return &upgraded{cfg, isServer, ev, func(c *rondo.Conn) {
				c.SetWriteLimits(500, 1000, 1500)
				produce(c)
				begun <- c
			}}
		})
		if err != nil {
			t.Fatal(err)
		}
		raw := rig.Dial(t, ln.Addr().String())
		c := rig.Await(t, begun)
		rig.On(t, e.Loop(), func() { // a client's hello may be among what is buffered
			if n := c.Buffered(); n < 1100 || n > 1500 || !slices.Equal(ev.list, []string{"paused"}) {
				t.Errorf("%d bytes are buffered, and the producer was told %q", n, ev.list)
			}
		})
		got, err := io.ReadAll(other(raw, isServer, server, client))
		if len(got) < size || err != nil {
			t.Errorf("%d bytes of %d came, %v", len(got), size, err)
		}
		rig.Await(t, lost)
		if len(got) != sent || !slices.Equal(ev.list[:3], []string{"paused", "resumed", "made"}) && !slices.Equal(ev.list[:2], []string{"paused", "resumed"}) {
			t.Errorf("%d of %d bytes; the producer was told %q", len(got), sent, ev.list)
		}
	})
	t.Run("deaf", func(t *testing.T) {
		server, _ := configs(t, tls.VersionTLS13)
		e := engine(t)
		ln, err := e.Listen("tcp", "127.0.0.1:0", func() rondo.Protocol {
			return &upgraded{secure.Config{TLS: server}, true, &events{}, func(c *rondo.Conn) {
				c.SetWriteLimits(500, 1000, 1500)
				n := 0
				for err := error(nil); err == nil; n++ {
					_, err = c.Write(make([]byte, 100))
				}
				if n != 16 {
					t.Errorf("the %dth write failed", n)
				}
			}}
		})
		if err != nil {
			t.Fatal(err)
		}
		if c, err := net.Dial("tcp", ln.Addr().String()); err == nil { // else it has ended already
			defer c.Close()
		}
		if line := e.Log.Await(t, "a handshake failed"); !strings.Contains(line, "1600 bytes") {
			t.Errorf("it was reported: %s", line)
		}
	})
}
