package secure_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/pemfile"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/secure"
	"github.com/rondo-go/rondo/stream"
)

// store writes a certificate and its key, in another second than those before.
func store(t *testing.T, cert, key string, c tls.Certificate, at time.Time) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
}

// A certificate is replaced while the server runs: new connections get the new one, also when the files were wrong in between, and the old connection goes on.
func TestReload(t *testing.T) {
	cert, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	first, firstPool := rig.Certificate(t)
	second, secondPool := rig.Certificate(t)
	begin := time.Now().Add(-time.Hour)
	store(t, cert, key, first, begin)
	files, err := secure.LoadFiles(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	e := engine(t)
	ln, err := e.Listen("tcp", "127.0.0.1:0", secure.Config{TLS: &tls.Config{GetCertificate: files.GetCertificate}}.Server(stream.Handle(echoHandler)))
	if err != nil {
		t.Fatal(err)
	}
	dial := func(pool *x509.CertPool) (*tls.Conn, error) {
		return tls.Dial("tcp", ln.Addr().String(), &tls.Config{RootCAs: pool, ServerName: "localhost"})
	}
	old, err := dial(firstPool)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()

	stop := files.Watch(e.Loop(), time.Millisecond)
	if err := os.WriteFile(cert, []byte("half of it"), 0o600); err != nil {
		t.Fatal(err)
	}
	e.Log.Await(t, "a certificate was not reloaded")
	again, err := dial(firstPool)
	if err != nil {
		t.Fatalf("while the files are wrong: %v", err)
	}
	_ = again.Close()
	stop()
	settled := make(chan struct{})
	e.Loop().Post(func() { close(settled) })
	<-settled
	e.Log.Discard("a certificate was not reloaded") // it may have been half written

	store(t, cert, key, second, begin.Add(time.Minute))
	if err := files.Reload(); err != nil {
		t.Fatal(err)
	}
	if c, err := dial(firstPool); err == nil {
		_ = c.Close()
		t.Error("the old certificate is still used")
	} else {
		e.Log.Await(t, "a handshake failed")
	}
	c, err := dial(secondPool)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	talk(t, old)
}

// Watch reads what has changed.
func TestWatch(t *testing.T) {
	cert, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	first, _ := rig.Certificate(t)
	second, _ := rig.Certificate(t)
	begin := time.Now().Add(-time.Hour)
	store(t, cert, key, first, begin)
	files, err := secure.LoadFiles(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	e := engine(t)
	defer files.Watch(e.Loop(), time.Millisecond)()
	store(t, cert, key, second, begin.Add(time.Minute))
	changed := make(chan struct{})
	e.Loop().Post(func() {
		var tick rondo.Timer
		tick = e.Loop().Every(time.Millisecond, func() {
			if now, _ := files.GetCertificate(nil); string(now.Certificate[0]) == string(second.Certificate[0]) {
				tick.Stop()
				close(changed)
			}
		})
	})
	<-changed
	e.Log.Discard("a certificate was not reloaded") // it may have looked between the two
}

func TestLoadFilesRefuses(t *testing.T) {
	cert, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	if _, err := secure.LoadFiles(cert, key); err == nil {
		t.Error("files that are not there were loaded")
	}
	first, _ := rig.Certificate(t)
	second, _ := rig.Certificate(t)
	store(t, cert, key, first, time.Now())
	store(t, cert, filepath.Join(t.TempDir(), "other"), second, time.Now())
	if _, err := secure.LoadFiles(cert, key); err == nil {
		t.Error("a certificate and another's key were loaded")
	}
	if err := os.WriteFile(key, make([]byte, pemfile.MaxBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]string{{cert, key}, {key, cert}} {
		if _, err := secure.LoadFiles(pair[0], pair[1]); err == nil || !strings.HasSuffix(err.Error(), key+" has more than 1 MiB, the most that a file of certificates or keys (PEM) may have: give such a file") {
			t.Errorf("a file that is too long: %v", err)
		}
	}
}
