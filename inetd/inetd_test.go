package inetd_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/inetd"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/sim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve is a world with a server of that protocol, and a client that talks to it.
func serve(t *testing.T, accept func() rondo.Protocol, talk func(w *sim.World, c net.Conn)) {
	t.Helper()
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		if _, err := w.Host("server").Engine().Listen("tcp", ":7", accept); err != nil {
			w.Fatalf("listening: %v", err)
		}
		e := w.Host("client").Engine()
		c, err := e.DialContext(t.Context(), "tcp", "server:7")
		if err != nil {
			w.Fatalf("dialing: %v", err)
		}
		_ = c.SetDeadline(e.Loop().Now().Add(time.Minute))
		talk(w, c)
		_ = c.Close()
		w.Sleep(10 * time.Second)
		if n := w.Host("server").Engine().Conns(); n != 0 {
			w.Errorf("%d connections are left", n)
		}
	})
}

func closeWrite(c net.Conn) { _ = c.(interface{ CloseWrite() error }).CloseWrite() }

func TestEcho(t *testing.T) {
	serve(t, inetd.Echo, func(w *sim.World, c net.Conn) {
		want := bytes.Repeat([]byte("echo "), 100_000)
		w.Host("client").Go(func() {
			_, _ = c.Write(want)
			closeWrite(c)
		})
		if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
			w.Errorf("%d bytes came back, %v", len(got), err)
		}
	})
}

func TestDiscard(t *testing.T) {
	serve(t, inetd.Discard, func(w *sim.World, c net.Conn) {
		if _, err := c.Write(make([]byte, 1<<20)); err != nil {
			w.Errorf("writing: %v", err)
		}
		closeWrite(c)
		if got, err := io.ReadAll(c); err != nil || len(got) > 0 {
			w.Errorf("%d bytes came back, %v", len(got), err)
		}
	})
}

// The pattern of RFC 864, and its memory: a peer that reads slowly makes the server hold no more than its high water mark.
func TestChargen(t *testing.T) {
	serve(t, inetd.Chargen, func(w *sim.World, c net.Conn) {
		first := make([]byte, 2*74)
		if _, err := io.ReadFull(c, first); err != nil {
			w.Fatalf("reading: %v", err)
		}
		want := ` !"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_` + "`abcdefg\r\n" +
			`!"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_` + "`abcdefgh\r\n"
		if string(first) != want {
			w.Errorf("it began with\n%s", first)
		}
		if _, err := c.Write([]byte("thrown away")); err != nil {
			w.Errorf("writing: %v", err)
		}
		rest := make([]byte, 10<<20)
		if _, err := io.ReadFull(c, rest); err != nil {
			w.Fatalf("reading: %v", err)
		}
		for i := 0; i+74 <= len(rest); i += 74 {
			if line := inetd.AppendLine(nil, 2+i/74); !bytes.Equal(rest[i:i+74], line) {
				w.Fatalf("line %d is %q, not %q", 2+i/74, rest[i:i+74], line)
			}
		}
	})
}

func TestChargenWaits(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	handles := make(chan rondo.Handle, 1)
	ln, err := e.Listen("tcp", "127.0.0.1:0", func() rondo.Protocol { return &watched{inetd.Chargen(), handles} })
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	h := rig.Await(t, handles)
	before := -1
	for buffered := 0; buffered == 0 || buffered != before; { // until it stands still
		before = buffered
		for range 100 {
			done := make(chan struct{})
			h.Do(func(c *rondo.Conn) {
				if buffered = c.Buffered(); buffered > 128<<10 {
					t.Errorf("%d bytes are buffered", buffered)
				}
				close(done)
			})
			rig.Await(t, done)
		}
	}
}

// watched hands out its connection.
type watched struct {
	rondo.Protocol
	handles chan rondo.Handle
}

func (p *watched) ConnectionMade(c *rondo.Conn) {
	c.SetProtocol(p.Protocol)
	p.Protocol.ConnectionMade(c)
	p.handles <- c.Handle()
}

func TestDaytime(t *testing.T) {
	serve(t, inetd.Daytime, func(w *sim.World, c net.Conn) {
		_, _ = c.Write([]byte("what time is it?"))
		got, err := io.ReadAll(c)
		at, perr := time.Parse("Monday, January 2, 2006 15:04:05-MST", strings.TrimSuffix(string(got), "\r\n"))
		if err != nil || perr != nil || !strings.HasSuffix(string(got), "\r\n") {
			w.Errorf("%q, %v, %v", got, err, perr)
		}
		if d := w.Now().Sub(at); d < 0 || d > 2*time.Second {
			w.Errorf("%q is %v off", got, d)
		}
	})
	at := time.Date(1982, time.February, 22, 17, 37, 43, 0, time.FixedZone("PST", -8*3600))
	if got, want := inetd.FormatDaytime(at), "Monday, February 22, 1982 17:37:43-PST\r\n"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
}

func TestTime(t *testing.T) {
	serve(t, inetd.Time, func(w *sim.World, c net.Conn) {
		got, err := io.ReadAll(c)
		if err != nil || len(got) != 4 {
			w.Fatalf("%v, %v", got, err)
		}
		if s := int64(binary.BigEndian.Uint32(got)) - 2208988800; s > w.Now().Unix() || s < w.Now().Unix()-2 {
			w.Errorf("%d, and it is %d", s, w.Now().Unix())
		}
	})
	// The examples of RFC 868.
	for want, at := range map[uint32]time.Time{
		2_208_988_800: time.Unix(0, 0),
		2_398_291_200: time.Date(1976, 1, 1, 0, 0, 0, 0, time.UTC),
		2_524_521_600: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC),
		2_629_584_000: time.Date(1983, 5, 1, 0, 0, 0, 0, time.UTC),
		0:             time.Date(2036, 2, 7, 6, 28, 16, 0, time.UTC), // it has wrapped around
	} {
		if got := binary.BigEndian.Uint32(inetd.AppendTime(nil, at)); got != want {
			t.Errorf("%v is %d, not %d", at, got, want)
		}
	}
}
