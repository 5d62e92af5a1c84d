package poller_test

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
)

// file opens what f names through the poller. It is not added. A poller whose world has no files is let off.
func (w *world) file(f *os.File, err error) *end {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { f.Close() })
	opened, err := w.OpenFile(int(f.Fd()))
	if errors.Is(err, errors.ErrUnsupported) {
		w.t.Skip("this poller has no files: ", err)
	}
	if err != nil {
		w.t.Fatalf("OpenFile of %s: %v", f.Name(), err)
	}
	return w.opened(opened.FD)
}

// filePair is both ends of a pipe, which has no others; neither is added.
func (w *world) filePair() (reader, writer *end) {
	w.t.Helper()
	r, wr, err := os.Pipe()
	reader, writer = w.file(r, err), w.file(wr, err)
	r.Close()
	wr.Close()
	return reader, writer
}

func fileStream(t *testing.T, s subject) {
	w := s.world(t)
	r, wr := w.filePair()
	w.add(r, poller.Read)
	w.quiet(r, poller.Readable)
	p := make([]byte, 16)
	if _, err := w.ReadFile(r.fd, p); !bare(err, syscall.EAGAIN) {
		t.Fatalf("ReadFile of an empty pipe: %v, want EAGAIN", err)
	}
	if n, err := w.WriteFile(wr.fd, []byte("hello")); n != 5 || err != nil {
		t.Fatalf("WriteFile: %d, %v", n, err)
	}
	w.await(r, poller.Readable)
	if n, err := w.ReadFile(r.fd, p); string(p[:max(n, 0)]) != "hello" || err != nil {
		t.Fatalf("ReadFile: %q, %v", p[:max(n, 0)], err)
	}

	for {
		_, err := w.WriteFile(wr.fd, stretch(0, 64<<10))
		if bare(err, syscall.EAGAIN) {
			break
		}
		if err != nil {
			t.Fatalf("WriteFile: %v", err)
		}
	}
	w.add(wr, poller.Write)
	w.quiet(wr, poller.Writable)
	for {
		_, err := w.ReadFile(r.fd, make([]byte, 64<<10))
		if bare(err, syscall.EAGAIN) {
			break
		}
		if err != nil {
			t.Fatalf("ReadFile: %v", err)
		}
	}
	w.await(wr, poller.Writable)

	w.close(wr)
	for range 3 {
		w.await(r, poller.Readable)
		if n, err := w.ReadFile(r.fd, p); n != 0 || err != nil {
			t.Fatalf("ReadFile at the end: %d, %v, want 0, nil", n, err)
		}
	}
	w.modify(r, 0)
	w.calm(5 * time.Millisecond)
}

// fileReadersGone is what a writer with nothing to write learns.
func fileReadersGone(t *testing.T, s subject) {
	w := s.world(t)
	if w.Name() == "kqueue" {
		t.Skip("kqueue does not watch what cannot be read on all systems")
	}
	r, wr := w.filePair()
	w.add(wr, poller.Read)
	w.quiet(wr, poller.Readable)
	w.close(r)
	w.await(wr, poller.Readable)
	if _, err := w.WriteFile(wr.fd, []byte("x")); !bare(err, syscall.EPIPE) {
		t.Fatalf("WriteFile without readers: %v, want EPIPE", err)
	}
	w.modify(wr, 0)
	w.calm(5 * time.Millisecond)
}

func fileRefused(t *testing.T, s subject) {
	w := s.world(t)
	for _, name := range []string{os.DevNull, ".", os.Args[0]} {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		_, err = w.OpenFile(int(f.Fd()))
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip("this poller has no files: ", err)
		}
		if !errors.Is(err, poller.ErrNotPollable) {
			t.Errorf("OpenFile of %s: %v, want ErrNotPollable", name, err)
		}
	}
	if _, err := w.OpenFile(-1); err == nil {
		t.Error("OpenFile of no descriptor: no error")
	}
}
