package rondo

import (
	"errors"
	"os"
	"syscall"

	"github.com/rondo-go/rondo/internal/sock"
)

const maxTransfer = sock.MaxTransfer

// syscallError names the operation in a bare error number, as package net does.
func syscallError(op string, err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) && err == error(errno) { //nolint:errorlint // whether it is bare is the question
		return os.NewSyscallError(op, err)
	}
	return err
}
