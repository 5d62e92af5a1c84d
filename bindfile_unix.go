//go:build unix

package rondo

import (
	"os"

	"github.com/rondo-go/rondo/internal/sock"
)

func adoptListener(f *os.File) (int, error) { return sock.AdoptListener(f) }
