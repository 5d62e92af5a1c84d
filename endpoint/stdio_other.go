//go:build !unix

package endpoint

import (
	"errors"

	"github.com/rondo-go/rondo"
)

func closeOnExec(int) {}

func listenStdio(*rondo.Engine, rondo.ListenConfig, func() rondo.Protocol) (Server, error) {
	return nil, errors.ErrUnsupported
}
