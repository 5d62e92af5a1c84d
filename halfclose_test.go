package rondo_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// Data followed by the end of the stream at once arrives whole, and so does the answer after that.
func TestHalfClose(t *testing.T) {
	const size = 10 << 20
	data := make([]byte, size)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(data)
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	var got []byte
	r.onData = func(_ *rondo.Conn, p []byte) int { got = append(got, p...); return len(p) }
	r.onEOF = func(c *rondo.Conn) {
		if !bytes.Equal(got, data) {
			t.Errorf("%d bytes of %d came before EOFReceived, or others", len(got), size)
		}
		if _, err := c.Write(data); err != nil {
			t.Error(err)
		}
		_ = c.Close()
	}
	peer := e.connect(halfCloser{r})
	if _, err := peer.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := peer.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(rig.Rest(t, peer), data) {
		t.Error("the answer is not whole")
	}
	if err := rig.Await(t, r.lost); err != nil {
		t.Error(err)
	}
}

// The same the other way round: after CloseWrite the peer may go on sending.
func TestHalfCloseHere(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	question := bytes.Repeat([]byte("question"), 1<<20)
	r.onMade = func(c *rondo.Conn) {
		if _, err := c.Write(question); err != nil {
			t.Error(err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Error(err)
		}
	}
	peer := e.connect(r)
	if !bytes.Equal(rig.Rest(t, peer), question) {
		t.Error("what was written before CloseWrite has not arrived whole")
	}
	if _, err := peer.Write(question); err != nil {
		t.Fatal(err)
	}
	peer.Close()
	if err := rig.Await(t, r.lost); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if n := r.received.Load(); n != int64(len(question)) {
		t.Errorf("%d bytes of %d came back", n, len(question))
	}
}

// After EOFReceived the connection stays until it is closed here.
func TestEOFReceivedStays(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	told := make(chan struct{})
	r.onEOF = func(*rondo.Conn) { close(told) } // closing it twice would panic
	peer := e.connect(halfCloser{r})
	c := rig.Await(t, r.made)
	if err := peer.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	rig.Await(t, told)
	for i := range 10 {
		if _, err := c.Handle().Write([]byte{byte('0' + i)}); err != nil {
			t.Fatal(err)
		}
		rig.Expect(t, peer, string(byte('0'+i)))
	}
	_ = c.Handle().Close()
	if err := rig.Await(t, r.lost); err != nil {
		t.Error(err)
	}
}

// A protocol without EOFReceived still has its answer sent when the peer has done with sending.
func TestEOFSendsWhatIsWritten(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	answer := make([]byte, 12<<20)
	r.onData = func(c *rondo.Conn, p []byte) int {
		if _, err := c.Write(answer); err != nil {
			t.Error(err)
		}
		return len(p)
	}
	peer := e.connect(r)
	rig.Send(t, peer, "question")
	if err := peer.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := rig.Rest(t, peer); len(got) != len(answer) {
		t.Errorf("%d bytes of %d", len(got), len(answer))
	}
	if err := rig.Await(t, r.lost); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// A protocol that is put in place after the end of the stream is told of it; one that does not care for it is
// closed, as it would have been.
func TestSetProtocolAfterEOF(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	last := newRecorder(t)
	last.begun = true
	second := newRecorder(t)
	second.begun = true
	second.onEOF = func(c *rondo.Conn) { c.SetProtocol(last) }
	first := newRecorder(t)
	first.onEOF = func(c *rondo.Conn) { c.SetProtocol(halfCloser{second}) }
	peer := e.connect(halfCloser{first})
	if err := peer.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if err := rig.Await(t, last.lost); err != io.EOF { //nolint:errorlint // documented to be bare
		t.Errorf("lost with %v", err)
	}
}
