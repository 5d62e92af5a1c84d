// Package frame finds messages in streams of bytes, and writes them so that they can be found: by the delimiter behind each of
// them, or by the length in front.
//
// A [Framing] is pure: it is given bytes, does no input or output, keeps nothing, and is safe for all goroutines and
// connections at once. What brings it the bytes is elsewhere: package framed for callbacks, [stream.Stream.ReadFrame] for
// tasks, bufio.Scanner by [SplitFunc] for files and whatever else is an io.Reader.
//
//	line, n, err := frame.Lines(1024).Next([]byte("GET key\r\nGET"), 0) // "GET key", 9, nil
//
// # Which one
//
//   - [Lines], [LinesCRLF], [Delimited]: a person can type them. A frame cannot hold what ends it, and every byte is looked at.
//   - [Netstrings]: any bytes, and still legible. The length is decimal digits.
//   - [Uint8], [Uint16], [Uint32], and [Uint16LE], [Uint32LE]: any bytes, at the lowest cost.
//   - [Varints]: likewise, and one byte of length for frames below 128 bytes: what protobuf calls delimited messages.
//
// # Limits
//
// Every framing has a limit: the most bytes that a frame may have, without what is around it. There is no default: only the program
// knows how long its messages can be, and a peer that sends a line without an end, or promises a frame of 10^30 bytes, must not
// decide how much memory that takes. What is over it is a [*LimitError], found as soon as it is certain, and what no frame can begin
// with is a [*SyntaxError]. After either it is not known where the next frame begins: the connection is of no more use.
//
// A receiver holds at most the limit and what is around one frame: 20 bytes of length at the most, or the delimiter.
//
// # Cost
//
// Frames are returned in place: nothing is copied or allocated, but for errors. No byte is searched twice for a delimiter,
// however small the pieces in which a line comes.
//
// [stream.Stream.ReadFrame]: https://pkg.go.dev/github.com/rondo-go/rondo/stream#Stream.ReadFrame
package frame
