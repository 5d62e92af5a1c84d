// Package http1 is HTTP/1.1 (RFC 9110, RFC 9112) on rondo: a [Server] that runs the http.Handlers people have, and a [Client] and a [Transport] that
// send the requests people have, on loops and for goroutines.
//
// A connection that waits for its next request is two small structs: no goroutine, no buffer, no timer of its own. A handler runs on a goroutine while
// its request lasts, with everything that net/http promises it; one that is declared [NonBlocking] is called on the loop.
//
// What goes over the wire is read and written by package wire, which does no I/O.
package http1
