//go:build !unix

package rondo

import (
	"errors"
	"os"
)

func duplicate(*os.File) (int, error) { return -1, errors.ErrUnsupported }
func closeAll([]int)                  {}
