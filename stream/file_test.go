//go:build unix

package stream_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// create makes a regular file.
func create(t *testing.T, content []byte) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// A regular file, which no poller takes, is written and read like anything else.
func TestRegularFile(t *testing.T) {
	f := create(t, nil)
	run(t, func(t *task.Task) error {
		s, err := stream.OpenFile(t, f)
		if err != nil {
			return err
		}
		if s.Conn() != nil || s.RemoteAddr().String() != f.Name() || s.LocalAddr().Network() != "file" {
			return fmt.Errorf("it has %v, %v, %v", s.Conn(), s.RemoteAddr(), s.LocalAddr())
		}
		for _, p := range []string{"one\n", "", "two\n"} {
			if n, err := s.Write(t, []byte(p)); n != len(p) || err != nil {
				return fmt.Errorf("Write of %d bytes: %d, %w", len(p), n, err)
			}
		}
		big := pattern(3 << 20)
		if n, err := s.Write(t, big); n != len(big) || err != nil {
			return fmt.Errorf("Write of %d bytes: %d, %w", len(big), n, err)
		}
		if err := s.CloseWrite(); err != nil {
			return err
		}
		if _, err := s.Write(t, []byte("x")); !errors.Is(err, rondo.ErrClosed) {
			return fmt.Errorf("Write after CloseWrite: %w", err)
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		for _, want := range []string{"one", "two"} {
			if p, err := s.ReadLine(t, 10); err != nil || string(p) != want {
				return fmt.Errorf("read %q, %w", p, err)
			}
		}
		got, err := io.ReadAll(s.IO(t))
		if err != nil || string(got) != string(big) {
			return fmt.Errorf("read %s, %w", rig.Short(got), err)
		}
		s.Close()
		if _, err := s.Next(t, 1); err != io.EOF { //nolint:errorlint // documented to be bare
			return fmt.Errorf("after the end: %w", err)
		}
		if _, err := s.Write(t, []byte("x")); !errors.Is(err, rondo.ErrClosed) {
			return fmt.Errorf("Write after Close: %w", err)
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("the file is not its owner's any more: %w", err)
		}
		return nil
	})
}

func TestNullFile(t *testing.T) {
	f, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	run(t, func(t *task.Task) error {
		s, err := stream.OpenFile(t, f)
		if err != nil {
			return err
		}
		defer s.Close()
		if n, err := s.Write(t, pattern(1<<20)); n != 1<<20 || err != nil {
			return fmt.Errorf("Write: %d, %w", n, err)
		}
		if _, err := s.Next(t, 1); err != io.EOF { //nolint:errorlint // documented to be bare
			return fmt.Errorf("Next: %w", err)
		}
		return nil
	})
}

// What cannot be written says so, and goes on saying so.
func TestFullDevice(t *testing.T) {
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this machine has no /dev/full: ", err)
	}
	defer f.Close()
	run(t, func(t *task.Task) error {
		s, err := stream.OpenFile(t, f)
		if err != nil {
			return err
		}
		for range 2 {
			if _, err := s.Write(t, []byte("x")); !errors.Is(err, syscall.ENOSPC) {
				return fmt.Errorf("Write: %w, want ENOSPC", err)
			}
		}
		return nil
	})
}

// A file goes through Copy to a pipe and to a socket byte by byte.
func TestCopyFile(t *testing.T) {
	content := pattern(8<<20 + 123)
	f := create(t, content)
	r, w := rig.Pipe(t)
	handle(t, func(peer *net.TCPConn) { rig.ExpectEnd(t, peer, string(content)) }, func(t *task.Task, s *stream.Stream) error {
		return task.WithGroup(t, func(t *task.Task, g *task.Group) error {
			g.Go(func(t *task.Task) error { // the file to the pipe
				from, err := stream.OpenFile(t, f)
				if err != nil {
					return err
				}
				defer from.Close()
				to, err := stream.OpenFile(t, w)
				if err != nil {
					return err
				}
				w.Close()
				if n, err := stream.Copy(t, to, from); n != int64(len(content)) || err != nil {
					return fmt.Errorf("Copy from the file: %d, %w", n, err)
				}
				return to.Close()
			})
			from, err := stream.OpenFile(t, r) // the pipe to the socket
			if err != nil {
				return err
			}
			defer from.Close()
			if n, err := stream.Copy(t, s, from); n != int64(len(content)) || err != nil {
				return fmt.Errorf("Copy from the pipe: %d, %w", n, err)
			}
			return nil
		})
	})
}

// The flags of open files that others have too stay as they are where they can, and are put back in any case.
func TestFileFlags(t *testing.T) {
	r, w := rig.Pipe(t)
	before := [2]uintptr{rig.StatusFlags(t, r), rig.StatusFlags(t, w)}
	run(t, func(task *task.Task) error {
		in, err := stream.OpenFile(task, r)
		if err != nil {
			return err
		}
		out, err := stream.OpenFile(task, w)
		if err != nil {
			return err
		}
		if during := [2]uintptr{rig.StatusFlags(t, r), rig.StatusFlags(t, w)}; runtime.GOOS == "linux" && during != before {
			return fmt.Errorf("the flags are %#o, were %#o", during, before)
		}
		if _, err := out.Write(task, []byte("x")); err != nil {
			return err
		}
		if _, err := in.Next(task, 1); err != nil {
			return err
		}
		if _, err := in.Write(task, []byte("x")); !errors.Is(err, syscall.EBADF) {
			return fmt.Errorf("Write to what is open for reading: %w", err)
		}
		in.Close()
		out.Close()
		return nil
	})
	if after := [2]uintptr{rig.StatusFlags(t, r), rig.StatusFlags(t, w)}; after != before {
		t.Errorf("the flags are %#o at the end, were %#o", after, before)
	}
}
