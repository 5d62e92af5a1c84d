package http1_test

import (
	"log/slog"
	"testing"
)

// rigLogger is for what is known to be logged.
func rigLogger(*testing.T) *slog.Logger { return slog.New(slog.DiscardHandler) }
