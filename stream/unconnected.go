package stream

import "net"

// unconnected is what a stream of New's is over before its connection is made.
type unconnected struct{}

func (unconnected) refuse(call string) {
	panic("stream: " + call + " of a stream that has no connection yet: wait for what made it the protocol of one, as for the " +
		"future of Engine.Dial")
}

func (u unconnected) Write([]byte) (int, error) { u.refuse("Write"); return 0, nil }
func (u unconnected) CloseWrite() error         { u.refuse("CloseWrite"); return nil }
func (u unconnected) Close() error              { u.refuse("Close"); return nil }
func (u unconnected) Abort()                    { u.refuse("Abort") }

// The rest is called only by a stream that has received something, or to say what a task waits for.

func (unconnected) Buffered() int        { return 0 }
func (unconnected) PauseReading()        {}
func (unconnected) ResumeReading()       {}
func (unconnected) LocalAddr() net.Addr  { return nil }
func (unconnected) RemoteAddr() net.Addr { return nil }
