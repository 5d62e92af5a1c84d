package stream_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// A task's file arrives between what it has written before and after, and it knows how much was sent.
func TestSendFile(t *testing.T) {
	data := pattern(3 << 20)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	_, near, _, done := tunnel(t, func(t *task.Task, client, _ *stream.Stream) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := client.Write(t, []byte("first")); err != nil {
			return err
		}
		if n, err := client.SendFile(t, f, 1000, -1); n != int64(len(data))-1000 || err != nil {
			return fmt.Errorf("SendFile: %d, %w", n, err)
		}
		m, err := fstest.MapFS{"m": {Data: data}}.Open("m")
		if err != nil {
			return err
		}
		if n, err := client.SendFile(t, m, 10, 20); n != 20 || err != nil {
			return fmt.Errorf("SendFile of a file in memory: %d, %w", n, err)
		}
		_, err = client.Write(t, []byte("last"))
		return err
	})
	want := bytes.Join([][]byte{[]byte("first"), data[1000:], data[10:30], []byte("last")}, nil)
	if got, err := io.ReadAll(near); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes came (%v), want %d and these", len(got), err, len(want))
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A task that is cancelled while it sends has sent what it says, and can go on with the stream.
func TestSendFileCancelled(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(64 << 20); err != nil {
		t.Fatal(err)
	}
	reason := errors.New("enough")
	begun := make(chan struct{})
	var sent int64
	_, near, _, done := tunnel(t, func(t *task.Task, client, _ *stream.Stream) error {
		sending := task.Spawn(t, func(t *task.Task) (int64, error) {
			n, err := client.SendFile(t, f, 0, -1)
			sent = n
			return n, err
		})
		if err := task.Yield(t); err != nil {
			return err
		}
		sending.Cancel(reason)
		if _, err := task.Await(t, sending); !errors.Is(err, reason) {
			return fmt.Errorf("SendFile: %w", err)
		}
		close(begun)
		_, err := client.Write(t, []byte("behind"))
		return err
	})
	<-begun
	got, err := io.ReadAll(near)
	if err != nil || len(got) != int(sent)+6 || !bytes.HasSuffix(got, []byte("behind")) {
		t.Errorf("%d bytes came (%v) of %d that were sent and 6", len(got), err, sent)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
