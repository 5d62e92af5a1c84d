package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/rondo-go/rondo/internal/descriptors"
	"github.com/rondo-go/rondo/poetry"
)

// explain puts an error into one line that says what to do about it, where that is known.
func explain(err error) string {
	if usage, ok := errors.AsType[poetry.UsageError](err); ok {
		return oneLine(string(usage))
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "listen" {
		return cannotListen(op)
	}
	err = descriptors.Blame(err)
	return oneLine(err.Error()) + descriptors.Hint(err) + poetry.TrustHint(err)
}

// oneLine keeps what a script reads as one line one, joined errors included.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func cannotListen(op *net.OpError) string {
	where := "there"
	if op.Addr != nil {
		where = "on " + op.Addr.String()
	}
	switch {
	case errors.Is(op, syscall.EADDRINUSE):
		if op.Net == "unix" {
			return fmt.Sprintf("Cannot listen %s: a file of that name is there already. If no server uses it, remove it.", where)
		}
		return fmt.Sprintf("Cannot listen %s: another program listens there already. Stop it, or choose another port.", where)
	case errors.Is(op, syscall.EADDRNOTAVAIL):
		return fmt.Sprintf("Cannot listen %s: this machine does not have that address.", where)
	case op.Net == "unix" && op.Addr != nil && errors.Is(op, fs.ErrNotExist):
		return fmt.Sprintf("Cannot listen %s: there is no folder %s. Make it, or choose another.", where, filepath.Dir(op.Addr.String()))
	case op.Net == "unix" && op.Addr != nil && errors.Is(op, syscall.ENOTDIR):
		return fmt.Sprintf("Cannot listen %s: %s is no folder. Choose another.", where, filepath.Dir(op.Addr.String()))
	case errors.Is(op, fs.ErrPermission) && op.Net == "unix":
		return fmt.Sprintf("Cannot listen %s: permission denied. Choose a folder that you may write into.", where)
	case errors.Is(op, fs.ErrPermission):
		return fmt.Sprintf("Cannot listen %s: permission denied. Ports below 1024 need a privilege.", where)
	}
	reason := descriptors.Blame(op.Err)
	if dns, ok := errors.AsType[*net.DNSError](reason); ok && dns.IsNotFound {
		return fmt.Sprintf("Cannot listen on %s: there is no such host. Give an address of this machine, like 127.0.0.1, or 0.0.0.0 for all that it has.", printable(dns.Name))
	}
	return oneLine(fmt.Sprintf("Cannot listen %s: %v%s", where, reason, descriptors.Hint(reason)))
}
