package secure

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/pemfile"
)

// Files are a certificate and its key in files, which may be replaced while the program runs: handshakes that begin from then on use the new ones, and connections
// go on as they are. Any goroutine may use it. It serves a tls.Config by its methods:
//
//	files, err := secure.LoadFiles("cert.pem", "key.pem")
//	config := &tls.Config{GetCertificate: files.GetCertificate}
//	stop := files.Watch(engine.Loop(), time.Minute)
type Files struct {
	cert, key string
	current   atomic.Pointer[version]
}

// version is what was read at some time.
type version struct {
	certificate tls.Certificate
	stamps      [2]stamp
}

// stamp tells whether a file was changed.
type stamp struct {
	changed time.Time
	size    int64
}

// LoadFiles reads a certificate (PEM, its chain after it) and its key (PEM), as tls.LoadX509KeyPair does; a file of more than 1 MiB is refused. It reads files: not on a loop.
func LoadFiles(cert, key string) (*Files, error) {
	f := &Files{cert: cert, key: key}
	if err := f.Reload(); err != nil {
		return nil, err
	}
	return f, nil
}

// Reload reads the files again. If they cannot be read, or do not belong together (as for a moment while they are being replaced), the error says so and what was read before goes on being used.
// It reads files: not on a loop.
func (f *Files) Reload() error {
	v := &version{stamps: f.look()} // before they are read: what changes meanwhile will be read again
	var err error
	if v.certificate, err = loadPair(f.cert, f.key); err != nil {
		return fmt.Errorf("secure: loading the certificate %s with the key %s: %w", f.cert, f.key, err)
	}
	f.current.Store(v)
	return nil
}

// loadPair is tls.LoadX509KeyPair with bounds.
func loadPair(cert, key string) (tls.Certificate, error) {
	c, err := pemfile.Read(cert)
	if err != nil {
		return tls.Certificate{}, err
	}
	k, err := pemfile.Read(key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(c, k)
}

// look says how the files are now. A file that is not there is like no other.
func (f *Files) look() (stamps [2]stamp) {
	for i, name := range []string{f.cert, f.key} {
		if info, err := os.Stat(name); err == nil {
			stamps[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return stamps
}

// Watch looks at the files that often and reads them again when their times or sizes have changed, off the loop. What goes wrong is told to the engine's
// log, once for each change. Stop ends it, and so does the engine's end. It panics unless every is more than 0. Any goroutine may call both.
func (f *Files) Watch(l *rondo.Loop, every time.Duration) (stop func()) {
	if every <= 0 {
		panic("secure: Files.Watch needs a time between two looks")
	}
	w := &watch{files: f, loop: l, before: f.current.Load().stamps}
	l.Post(func() {
		if !w.stopped {
			w.timer = l.Every(every, w.look)
		}
	})
	return func() {
		l.Post(func() {
			w.stopped = true
			w.timer.Stop()
		})
	}
}

// watch belongs to its loop.
type watch struct {
	files   *Files
	loop    *rondo.Loop
	timer   rondo.Timer
	before  [2]stamp // at the last look
	looking bool
	stopped bool
}

func (w *watch) look() {
	if w.looking {
		return
	}
	w.looking = true
	before := w.before
	rondo.Run(w.loop, func(context.Context) (seen, error) {
		now := seen{stamps: w.files.look()}
		if now.stamps != before {
			now.err = w.files.Reload()
		}
		return now, nil
	}).OnDone(func(now seen, err error) {
		w.looking = false
		if err != nil { // there is too much to do, or the engine is at its end
			return
		}
		w.before = now.stamps
		if now.err != nil && !w.stopped {
			w.loop.Engine().Logger().Error("secure: a certificate was not reloaded", "error", now.err)
		}
	})
}

// seen is what a look has found.
type seen struct {
	stamps [2]stamp
	err    error
}

// GetCertificate is for tls.Config.GetCertificate.
func (f *Files) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return &f.current.Load().certificate, nil
}

// GetClientCertificate is for tls.Config.GetClientCertificate.
func (f *Files) GetClientCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return &f.current.Load().certificate, nil
}
