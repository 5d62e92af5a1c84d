// Package framed is connections as protocols of whole messages see them: in place of bytes, a [Handler] receives the frames of a
// framing of package frame, one call for each, and sends frames.
//
//	type greeter struct{}
//
//	func (greeter) ConnectionMade(*framed.Conn)        {}
//	func (greeter) ConnectionLost(*framed.Conn, error) {}
//	func (greeter) FrameReceived(c *framed.Conn, name []byte) {
//		c.SendFrame(append([]byte("hello, "), name...))
//	}
//
//	engine.Listen("tcp", "127.0.0.1:7000", framed.Handle(frame.Lines(100), func() framed.Handler { return greeter{} }))
//
// It is what LineReceiver, NetstringReceiver and the IntNReceivers are in Twisted. Tasks have [stream.Stream.ReadFrame] instead.
//
// # Bytes between frames
//
// Many protocols send a body of so many bytes behind a header of lines. [Conn.SetRaw] has the next bytes go to the handler as they come
// (it is a [RawReceiver]), and then frames go on, wherever in a buffer that is; [Conn.SetFraming] changes to other frames likewise.
//
// # Pausing, closing, handing over
//
// A handler may pause reading, close the connection or give it another protocol in the midst of what has come. It receives no more
// frames then. What is left comes when reading is resumed, or to the new protocol.
//
// # Cost
//
// A connection costs a [Conn] more than one with a bare protocol does: 80 bytes, and the handler. Frames are delivered in place, and neither
// receiving nor sending one allocates. A peer that promises a long frame makes the connection hold no more than twice what it has
// sent, or 16 KiB. One over Config.MaxReadBuffer (1 MiB by default) ends the connection with a [*rondo.BufferError]: raise that too where
// a framing's limit is higher.
//
// Everything here belongs to the connection's loop, but for [Handle] and [New], which are for any goroutine.
//
// [stream.Stream.ReadFrame]: https://pkg.go.dev/github.com/rondo-go/rondo/stream#Stream.ReadFrame
package framed
