//go:build !unix

package activation

import (
	"errors"
	"os"
)

func check(int) error { return errors.ErrUnsupported }

func open(int, string) *os.File { return nil }
