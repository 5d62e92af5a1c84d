//go:build !unix

package rondo

import (
	"errors"
	"os"

	"github.com/rondo-go/rondo/internal/sock"
)

func duplicate(*os.File) (int, error)            { return -1, errors.ErrUnsupported }
func newRights([]*os.File) (*sock.Rights, error) { return nil, errors.ErrUnsupported }

func closeAll([]int) {}
