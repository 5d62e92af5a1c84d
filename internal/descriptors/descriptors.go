// Package descriptors finds out whether it is for want of descriptors that something failed, and says what to do about it.
package descriptors

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// Hint is what to add to the text of an error, which is nothing if descriptors have nothing to do with it.
func Hint(err error) string {
	switch {
	case errors.Is(err, syscall.EMFILE):
		return ": the process may open no more files; see ulimit -n"
	case errors.Is(err, syscall.ENFILE):
		return ": the system may open no more files"
	}
	return ""
}

// Blame returns the error, or one that says that descriptors have run out if that is its cause. Package net's resolver keeps it for
// itself: without descriptors it can neither read the hosts file nor ask a server, and then there is "no such host".
func Blame(err error) error {
	dns, ok := errors.AsType[*net.DNSError](err)
	if !ok || dns.IsTimeout {
		return err
	}
	// Not os.Open, with which the runtime may want descriptors of its own, and dies without.
	f, openErr := syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if openErr == nil {
		_ = syscall.Close(f) //nolint:forbidigo // its own, and only to see whether there is one
		return err
	}
	if Hint(openErr) == "" {
		return err
	}
	return fmt.Errorf("looking %s up: %w", dns.Name, openErr)
}
