package poller_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rondo-go/rondo/internal/poller"
)

// sendsFiles sends a regular file to a connection. A poller that does not is let off.
func sendsFiles(t *testing.T, s subject) {
	w := s.world(t)
	k, ok := w.Poller.(poller.FileSender)
	if !ok {
		t.Skip("this poller is not a FileSender")
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("hello, world"); err != nil {
		t.Fatal(err)
	}
	file := int(f.Fd())
	from, to := w.pair()
	w.add(to, poller.Read)
	p := make([]byte, 100)

	// A piece; what is more than there is; the end.
	if n, err := k.SendFile(from.fd, file, 2, 3); n != 3 || err != nil {
		t.Fatalf("SendFile of a piece: %d, %v", n, err)
	}
	if n, err := k.SendFile(from.fd, file, 7, 100); n != 5 || err != nil {
		t.Fatalf("SendFile of what is left: %d, %v", n, err)
	}
	for _, offset := range []int64{12, 100} {
		if n, err := k.SendFile(from.fd, file, offset, 100); n != 0 || err != nil {
			t.Fatalf("SendFile from %d: %d, %v, want 0, nil", offset, n, err)
		}
	}
	for got := ""; got != "lloworld"; {
		w.await(to, poller.Readable)
		n, err := w.Recv(to.fd, p)
		if err != nil || n == 0 {
			t.Fatalf("Recv behind %q: %d, %v", got, n, err)
		}
		got += string(p[:n])
	}
	if at, err := f.Seek(0, 1); at != 12 || err != nil {
		t.Errorf("the file's position is %d, %v: it was 12", at, err)
	}

	// A socket that takes no more.
	if err := f.Truncate(64 << 20); err != nil {
		t.Fatal(err)
	}
	for sent := 0; ; {
		n, err := k.SendFile(from.fd, file, int64(sent), 64<<20)
		if sent += n; bare(err, syscall.EAGAIN) && sent > 0 {
			break
		}
		if err != nil || n > 256<<10 || sent == 64<<20 {
			t.Fatalf("SendFile to a peer that does not read, behind %d bytes: %d, %v", sent, n, err)
		}
	}
}
