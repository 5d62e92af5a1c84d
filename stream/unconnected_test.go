package stream_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// Who uses a stream too early is told what is missing.
func TestUnconnected(t *testing.T) {
	s := stream.New()
	if s.Loop() != nil || s.Conn() != nil || s.LocalAddr() != nil || s.RemoteAddr() != nil {
		t.Error("it has something of a connection")
	}
	run(t, func(t *task.Task) error {
		for call, fn := range map[string]func(){
			"Write":      func() { _, _ = stream.New().Write(t, []byte("x")) },
			"CloseWrite": func() { _ = stream.New().CloseWrite() },
			"Close":      func() { _ = stream.New().Close() },
			"Abort":      func() { stream.New().Abort() },
		} {
			if said := panics(fn); !strings.HasPrefix(said, "stream: "+call+" of a stream that has no connection yet") {
				return fmt.Errorf("%s: %q", call, said)
			}
		}
		return nil
	})
}

// panics returns what fn panics with.
func panics(fn func()) (said string) {
	defer func() { said = fmt.Sprint(recover()) }()
	fn()
	return ""
}
