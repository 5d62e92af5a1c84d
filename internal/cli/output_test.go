package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// TestWriteWhole: a file that cannot be written leaves what had its name, and nothing else.
func TestWriteWhole(t *testing.T) {
	folder := t.TempDir()
	for _, text := range []string{"first", "second"} {
		if err := writeWhole(folder, "poem.txt", []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(folder, "poem.txt")); string(got) != text || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if err := os.MkdirAll(filepath.Join(folder, "taken", "by a folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeWhole(folder, "taken", []byte("third")); err == nil {
		t.Error("a file takes the place of a folder")
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 2 {
		t.Errorf("left in the folder: %v", entries)
	}
}
