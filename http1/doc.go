// Package http1 is HTTP/1.1 (RFC 9110, RFC 9112) on rondo: a [Server] that runs the http.Handlers people have, and a [Client] and a [Transport] that
// send the requests people have, on loops and for goroutines.
//
// A connection that waits for its next request is two small structs: no goroutine, no buffer, no timer of its own. A handler runs on a goroutine while
// its request lasts, with everything that net/http promises it; one that is declared [NonBlocking] is called on the loop.
//
// # What is otherwise than in net/http
//
// A handler finds what it finds there, and the few differences are these. The *http.Server under http.ServerContextKey says what the server does and does nothing, so that whoever asks whether there is one, as
// httputil.ReverseProxy does, is told the truth; [ServerOf] is the server itself. Behind http.MaxBytesReader the connection is not closed at once, for which net/http asks its own ResponseWriter alone: up to 256 KiB of the
// rest are dropped, and if there is more it is closed. An answer that was cut off, by a panic or since it is shorter than its Content-Length, is sent as far as it goes, and the connection ends; one that ends with its
// connection (to HTTP/1.0) is reset, so that it does not pass for whole. What a handler leaves behind, a goroutine that still uses its ResponseWriter or reads its Body, gets errors.
// Requests that the standards let a server refuse are refused: obs-fold, a second Content-Length, Content-Length beside Transfer-Encoding, targets that do not go with their method.
//
// What goes over the wire is read and written by package wire, which does no I/O.
package http1
