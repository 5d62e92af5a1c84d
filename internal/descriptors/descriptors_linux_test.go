package descriptors

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
)

// lookUp asks for a host that is always there, with so many descriptors at the most.
func lookUp(t *testing.T, most uint64) error {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	limit := before
	limit.Cur = min(most, limit.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	}()
	_, err := (&net.Resolver{PreferGo: true}).LookupHost(t.Context(), "host.invalid")
	return Blame(err)
}

func TestBlame(t *testing.T) {
	err := lookUp(t, 3)
	if !errors.Is(err, syscall.EMFILE) || err.Error() != "looking host.invalid up: too many open files" {
		t.Errorf("without descriptors: %v", err)
	}
	if Hint(err) != ": the process may open no more files; see ulimit -n" {
		t.Errorf("the hint is %q", Hint(err))
	}
	if err := lookUp(t, 1000); err == nil || errors.Is(err, syscall.EMFILE) || Hint(err) != "" {
		t.Errorf("with descriptors: %v", err)
	}
	if err := Blame(nil); err != nil {
		t.Error(err)
	}
	if Hint(syscall.ENFILE) == "" {
		t.Error("no hint when the system has run out")
	}
}

func TestRoom(t *testing.T) {
	before, known := Room()
	if !known {
		t.Skip("needs a limit of descriptors, as ulimit -n sets")
	}
	var files []*os.File
	for range 10 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, f)
	}
	if after, _ := Room(); after != before-len(files) {
		t.Errorf("room for %d, and with %d more open for %d", before, len(files), after)
	}
}
