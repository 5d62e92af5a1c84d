//go:build !unix

package activation

import (
	"errors"
	"os"
)

func open(int, string) (*os.File, error) { return nil, errors.ErrUnsupported }
