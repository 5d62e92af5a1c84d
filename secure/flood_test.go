package secure_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/secure"
)

// forger writes records of TLS 1.3 that crypto/tls would not write (RFC 8446, sections 5.2 and 7).
type forger struct {
	t      *testing.T
	w      io.Writer
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

// newForger takes over from a client that has said nothing since its handshake.
func newForger(t *testing.T, w io.Writer, keyLog string) *forger {
	for line := range strings.Lines(keyLog) {
		if f := strings.Fields(line); f[0] == "CLIENT_TRAFFIC_SECRET_0" {
			secret, err := hex.DecodeString(f[2])
			if err != nil {
				t.Fatal(err)
			}
			forger := &forger{t: t, w: w, secret: secret}
			forger.keys()
			return forger
		}
	}
	t.Fatal("no secret was logged")
	return nil
}

func (f *forger) expand(label string, n int) []byte {
	label = "tls13 " + label
	info := append([]byte{byte(n >> 8), byte(n), byte(len(label))}, label...)
	key, err := hkdf.Expand(sha256.New, f.secret, string(append(info, 0)), n)
	if err != nil {
		f.t.Fatal(err)
	}
	return key
}

func (f *forger) keys() {
	block, err := aes.NewCipher(f.expand("key", 16))
	if err != nil {
		f.t.Fatal(err)
	}
	if f.aead, err = cipher.NewGCM(block); err != nil {
		f.t.Fatal(err)
	}
	f.iv, f.seq = f.expand("iv", 12), 0
}

func (f *forger) write(kind byte, data ...byte) error {
	n := len(data) + 1 + f.aead.Overhead()
	record := []byte{23, 3, 3, byte(n >> 8), byte(n)}
	nonce := bytes.Clone(f.iv)
	var seq [8]byte
	binary.BigEndian.PutUint64(seq[:], f.seq)
	for i := range seq {
		nonce[4+i] ^= seq[i]
	}
	f.seq++
	_, err := f.w.Write(f.aead.Seal(record, nonce, append(bytes.Clone(data), kind), record))
	return err
}

// updateKeys changes the keys, as a KeyUpdate message says that does not ask for the same.
func (f *forger) updateKeys() error {
	err := f.write(22, 24, 0, 0, 1, 0)
	f.secret = f.expand("traffic upd", 32)
	f.keys()
	return err
}

// Peers that send without end what says nothing are not listened to for long; in between they may.
func TestFloods(t *testing.T) {
	for name, c := range map[string]struct {
		send func(f *forger) error
		want string
	}{
		"alerts":         {func(f *forger) error { return f.write(21, 1, 90) }, "too many ignored records"},
		"key updates":    {(*forger).updateKeys, "too many non-advancing records"},
		"empty records":  {func(f *forger) error { return f.write(23) }, "too many ignored records"},
		"a fatal alert":  {func(f *forger) error { return f.write(21, 2, 40) }, "handshake failure"},
		"session ticket": {func(f *forger) error { return f.write(22, 4, 0, 0, 0) }, "tls: "},
		"no such type":   {func(f *forger) error { return f.write(99, 1) }, "tls: "},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := configs(t, tls.VersionTLS13)
			var keys bytes.Buffer
			client.KeyLogWriter = &keys
			l := &lost{reason: make(chan error, 1), heard: make(chan struct{})}
			ln, err := engine(t).Listen("tcp", "127.0.0.1:0", secure.Config{TLS: server}.Server(func() rondo.Protocol { return l }))
			if err != nil {
				t.Fatal(err)
			}
			raw, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			conn := tls.Client(raw, client)
			if err := conn.Handshake(); err != nil {
				t.Fatal(err)
			}
			if suite := conn.ConnectionState().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
				t.Skipf("the forger needs TLS_AES_128_GCM_SHA256, and this machine prefers %s", tls.CipherSuiteName(suite))
			}
			f := newForger(t, raw, keys.String())
			patient := strings.HasPrefix(c.want, "too many")
			for range 10 { // that many are borne
				if patient {
					if err := c.send(f); err != nil {
						t.Fatal(err)
					}
				}
				if err := f.write(23, 'x'); err != nil {
					t.Fatal(err)
				}
			}
			<-l.heard
			for range 1000 {
				if c.send(f) != nil {
					break // it has noticed
				}
			}
			if err := <-l.reason; err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the reason is %v", err)
			}
			if string(l.got) != "xxxxxxxxxx" {
				t.Errorf("%q has arrived", l.got)
			}
		})
	}
}

// Warnings in the clear, before there is a handshake, are not listened to for long either.
func TestAlertsInsteadOfHandshake(t *testing.T) {
	server, _ := configs(t, tls.VersionTLS12)
	e := engine(t)
	ln, err := e.Listen("tcp", "127.0.0.1:0", secure.Config{TLS: server}.Server(func() rondo.Protocol {
		t.Error("there is a protocol")
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = c.Write(bytes.Repeat([]byte{21, 3, 1, 0, 2, 1, 90}, 1000))
	e.Log.Await(t, "too many ignored records")
}
