package sim

import (
	"runtime"
	"syscall"
	"testing"
)

// What systems call their errors is no part of a log.
func TestErrorsOfOtherSystems(t *testing.T) {
	darwin := func(e syscall.Errno) string {
		switch e {
		case syscall.ETIMEDOUT:
			return "operation timed out"
		case syscall.EAFNOSUPPORT:
			return "address family not supported by protocol family"
		}
		return linuxTexts[e]
	}
	const said = "dial tcp 10.0.0.1:7: connect: operation timed out; address family not supported by protocol family; broken pipe"
	const want = "dial tcp 10.0.0.1:7: connect: connection timed out; address family not supported by protocol; broken pipe"
	if got := replacerOf(darwin).Replace(said); got != want {
		t.Errorf("it is %q", got)
	}
	if runtime.GOOS == "linux" && likeLinux != nil {
		for e, text := range linuxTexts {
			if e.Error() != text {
				t.Errorf("Linux says %q, and not %q", e.Error(), text)
			}
		}
	}

	before := likeLinux
	defer func() { likeLinux = before }()
	likeLinux = replacerOf(func(e syscall.Errno) string { return "it is " + linuxTexts[e] })
	w := newWorld(Config{Log: true})
	_ = w.run(func(w *World) {
		w.Note("%v", "it is connection timed out")
		w.logger("").Warn("it is broken pipe")
		w.Errorf("it is bad file descriptor")
	})
	for i, want := range []string{"connection timed out", "WARN broken pipe", "bad file descriptor"} {
		if got := w.Log().Entries()[i].Of; got != want {
			t.Errorf("the log says %q", got)
		}
	}
}
