// Package wire is HTTP/1.1's messages as bytes: it parses the heads of requests and of responses, decodes the chunked coding, and writes all of them. It follows RFC 9112, to whose sections the
// comments refer, and RFC 9110 for what fields mean.
//
// It is pure functions over bytes and does no I/O. What is parsed points into what was given, so an ordinary message costs no allocation; what has arrived in pieces is looked at once, however small they
// are. [Request.Parse] is where to begin, [Chunks.Next] decodes a body, and the Append functions write.
//
// It is strict wherever two parsers that disagree would see two different messages in the same bytes, which is what request smuggling is made of (RFC 9112, section 11.2): one rule for where a line,
// a field and a body end, and an error for all else. What it takes although the grammar does not have it is named where it is taken.
//
// Nothing here is safe for use by several goroutines at once.
package wire
