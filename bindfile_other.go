//go:build !unix

package rondo

import (
	"errors"
	"os"
)

func adoptListener(*os.File) (int, error) { return -1, errors.ErrUnsupported }
