//go:build unix

package stream_test

import (
	"net"
	"syscall"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/stream"
)

// A turn of the loop hears of 1,024 connections at the most. What has arrived for all the others is served too.
func TestShutdownOfManyStreams(t *testing.T) {
	const many = 1200
	e := rig.New(t, rondo.Config{})
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 2*many+100 || e.Poller() == "select" {
		t.Skipf("needs %d descriptors, the limit is %d (%v), and of select 1024", 2*many+100, limit.Cur, err)
	}
	ln, err := e.Listen("tcp", "127.0.0.1:0", stream.Handle(shout))
	if err != nil {
		t.Fatal(err)
	}
	var peers []net.Conn
	for range many {
		c := rig.Dial(t, ln.Addr().String())
		rig.Send(t, c, "hello\n")
		rig.Expect(t, c, "hello!\n")
		peers = append(peers, c)
	}
	held, release := make(chan struct{}), make(chan struct{})
	e.Loop().Post(func() { close(held); <-release })
	rig.Await(t, held)
	for _, c := range peers {
		rig.Send(t, c, "more\n")
	}
	done := make(chan error, 1)
	go func() { done <- e.Shutdown(t.Context()) }()
	close(release)
	for _, c := range peers {
		rig.ExpectEnd(t, c, "more!\n")
	}
	if err := rig.Await(t, done); err != nil {
		t.Error(err)
	}
}
