package pemfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/rondo-go/rondo/internal/pemfile"
)

// A file of the most bytes is read whole, one byte more is refused, and so is what has no end.
func TestRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "cert.pem")
	for size, tooLong := range map[int]bool{0: false, 1: false, pemfile.MaxBytes: false, pemfile.MaxBytes + 1: true, 3 * pemfile.MaxBytes: true} {
		if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		text, err := pemfile.Read(name)
		refused, ok := errors.AsType[*pemfile.TooLongError](err)
		switch {
		case tooLong && (!ok || refused.Name != name || text != nil):
			t.Errorf("%d bytes: %d were read, %v", size, len(text), err)
		case !tooLong && (err != nil || len(text) != size):
			t.Errorf("%d bytes: %d were read, %v", size, len(text), err)
		}
	}
	if _, err := os.Stat("/dev/zero"); err == nil {
		if _, err := pemfile.Read("/dev/zero"); err == nil {
			t.Error("a device without end was read")
		}
	}
	if _, err := pemfile.Read(filepath.Join(t.TempDir(), "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}
