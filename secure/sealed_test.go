package secure_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/secure"
	"github.com/rondo-go/rondo/sim"
)

// afterHandshake has a client shake hands with a server and then say what it is told to; it ends its direction then and reads to the end. It returns what the
// server's protocol has got and been told at the end.
func afterHandshake(t *testing.T, say func(c *tls.Conn, raw slowly, keyLog string)) (got []byte, reason error) {
	server, client := configs(t, tls.VersionTLS13)
	var keys bytes.Buffer
	client.KeyLogWriter = &keys
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		l := &lost{reason: make(chan error, 1)}
		_, err := w.Host("server").Engine().Listen("tcp", ":443", secure.Config{TLS: server}.Server(func() rondo.Protocol { return l }))
		if err != nil {
			w.Fatalf("listening: %v", err)
		}
		raw, err := w.Host("client").Engine().DialContext(background, "tcp", "server:443")
		if err != nil {
			w.Fatalf("connecting: %v", err)
		}
		defer raw.Close()
		c := tls.Client(raw, client)
		if err := c.Handshake(); err != nil {
			w.Fatalf("shaking hands: %v", err)
		}
		say(c, slowly{raw, w}, keys.String())
		_ = raw.(interface{ CloseWrite() error }).CloseWrite()
		_, _ = io.Copy(io.Discard, raw)
		w.Wait(func() bool { return len(l.reason) == 1 })
		got, reason = l.got, <-l.reason
	})
	return got, reason
}

// slowly is a connection each of whose writes the other side reads by itself.
type slowly struct {
	net.Conn
	w *sim.World
}

func (c slowly) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.w.Sleep(5 * time.Millisecond)
	return n, err
}

// explains reports whether the end of a connection says what has become of it: the peer has ended it, in good order or not, or has sent what crypto/tls objects to, or an alert.
func explains(reason error) bool {
	if reason == nil {
		return false
	}
	return errors.Is(reason, io.EOF) || errors.Is(reason, secure.ErrNoCloseNotify) || strings.Contains(reason.Error(), "tls: ")
}

// Whatever a peer encrypts, of any type and in any record: the protocol gets the application data of it, from the beginning and nothing else, and its connection ends with a reason that says
// something. The input is records of a type, a length and so many bytes; one of length 255 goes out in two pieces.
func FuzzSealed(f *testing.F) {
	f.Add([]byte{23, 2, 'h', 'i', 21, 2, 1, 0})        // close_notify
	f.Add([]byte{23, 0, 23, 1, 'x', 23, 0})            // empty ones
	f.Add([]byte{22, 5, 24, 0, 0, 1, 1, 23, 1, 'x'})   // KeyUpdate, in whose keys the next is not
	f.Add([]byte{22, 2, 24, 0, 22, 3, 0, 1, 0})        // in two records
	f.Add([]byte{22, 2, 24, 0, 23, 1, 'x'})            // with another in between
	f.Add([]byte{22, 4, 1, 0, 0, 0})                   // ClientHello: a renegotiation
	f.Add([]byte{22, 4, 4, 255, 255, 255})             // a message of 16 MB
	f.Add([]byte{21, 2, 1, 90, 21, 2, 2, 80, 21, 1})   // alerts: user_canceled, internal_error
	f.Add([]byte{20, 1, 1, 99, 1, 1, 0, 0, 23, 0, 23}) // types that are none
	f.Add([]byte{0, 4, 'h', 'i', 23, 0, 23, 1, 'x'})   // padding, which hides a type
	f.Add([]byte{0, 2, 0, 0})                          // and nothing else
	f.Add(append([]byte{23, 255}, bytes.Repeat([]byte{7}, 255)...))
	f.Fuzz(func(t *testing.T, script []byte) {
		var want []byte
		skip := false
		got, reason := afterHandshake(t, func(c *tls.Conn, raw slowly, keyLog string) {
			if c.ConnectionState().CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
				skip = true // the forger knows no other, and this machine prefers one
				return
			}
			var record bytes.Buffer
			forger := newForger(t, &record, keyLog)
			for len(script) >= 2 {
				kind, data := script[0], script[2:][:min(int(script[1]), len(script)-2)]
				split := script[1] == 255
				script = script[2+len(data):]
				record.Reset()
				_ = forger.write(kind, data...)
				// The type is the last byte that is not zero; those behind it are padding (RFC 8446, section 5.4).
				if inner := bytes.TrimRight(append(bytes.Clone(data), kind), "\x00"); len(inner) > 0 && inner[len(inner)-1] == 23 {
					want = append(want, inner[:len(inner)-1]...)
				}
				p := record.Bytes()
				if split {
					_, _ = raw.Write(p[:9])
					p = p[9:]
				}
				if _, err := raw.Write(p); err != nil {
					return // the server has heard enough
				}
			}
		})
		if skip {
			t.Skip("the forger needs TLS_AES_128_GCM_SHA256")
		}
		if !bytes.HasPrefix(want, got) {
			t.Errorf("the protocol has got %q of %q", got, want)
		}
		if !explains(reason) {
			t.Errorf("the reason is %v", reason)
		}
		if errors.Is(reason, secure.ErrNoCloseNotify) && !bytes.Equal(got, want) {
			t.Errorf("the protocol has got %q of %q, and nothing was objected to", got, want)
		}
	})
}
