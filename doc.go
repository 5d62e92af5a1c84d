// Package rondo is an event-driven networking engine.
//
// An [Engine] has a few [Loop]s, usually one for each processor. A loop is a goroutine that waits for
// events on all of its connections at once and calls back: a [Protocol] hears that its connection
// was made, that data has come, and that the connection was lost, and speaks through its [Conn]. All
// of that happens on one goroutine, one call at a time, so a protocol needs no locks; and since
// nothing waits for one connection alone, an idle connection costs about a hundred bytes.
//
//	type echo struct{}
//
//	func (echo) ConnectionMade(*rondo.Conn)        {}
//	func (echo) ConnectionLost(*rondo.Conn, error) {}
//	func (echo) DataReceived(c *rondo.Conn, p []byte) int {
//		c.Write(p)
//		return len(p)
//	}
//
//	engine, err := rondo.New(rondo.Config{})
//	ln, err := engine.Listen("tcp", "127.0.0.1:7000", func() rondo.Protocol { return echo{} })
//
// # Who may call what
//
// It is a property of the type. A [Conn], a [Timer] and a [Future] belong to their loop: only code
// that runs there may use them. A [Handle] (of a connection), a [Promise] (of a future), [Loop.Post],
// an [Engine] and a [Listener] are for any goroutine. In debug and race builds a call from the wrong
// goroutine panics and says what to use instead.
//
// # Code that blocks
//
// Nothing on a loop may block: it would stop all of the loop's connections. [Run] takes blocking work
// elsewhere and brings the result back. Libraries that want a net.Conn get one with [Engine.DialContext],
// [Engine.ListenNet] or [NetConn]; their goroutines block, the loop does not.
package rondo
