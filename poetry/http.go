package poetry

import (
	"bytes"
	"strconv"
)

// maxRequestBytes bounds the head of an HTTP request; a longer one gets status 431.
const maxRequestBytes = 8 << 10

// An httpReply is how the server answers one HTTP request. The connection is closed after it, so that one delivery is
// one connection, with HTTP as without.
type httpReply struct {
	head    []byte
	body    bool // the poem follows
	chunked bool // not for an HTTP/1.0 client, which knows no chunks and reads until the connection closes
}

// parseHTTPRequest looks for the end of the request's head in all the bytes received so far. Until it is there, ready is
// false. Of the request only its method and version matter: every path has the poem (RFC 9112, sections 2 and 3).
func parseHTTPRequest(p []byte) (reply httpReply, ready bool) {
	end := bytes.Index(p, []byte("\r\n\r\n"))
	if end < 0 && len(p) < maxRequestBytes {
		return httpReply{}, false
	}
	if end < 0 || end+4 > maxRequestBytes {
		return refuseHTTP("431 Request Header Fields Too Large", ""), true
	}
	line, _, _ := bytes.Cut(p, []byte("\r\n"))
	words := bytes.Split(line, []byte(" "))
	if len(words) != 3 || len(words[1]) == 0 || !bytes.HasPrefix(words[2], []byte("HTTP/1.")) {
		return refuseHTTP("400 Bad Request", ""), true
	}
	method := string(words[0])
	if method != "GET" && method != "HEAD" {
		return refuseHTTP("405 Method Not Allowed", "Allow: GET, HEAD\r\n"), true
	}
	reply = httpReply{body: method == "GET", chunked: string(words[2]) != "HTTP/1.0"}
	head := "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
	if reply.chunked {
		head += "Transfer-Encoding: chunked\r\n"
	}
	reply.head = []byte(head + "\r\n")
	return reply, true
}

func refuseHTTP(status, extra string) httpReply {
	return httpReply{head: []byte("HTTP/1.1 " + status + "\r\n" + extra + "Content-Length: 0\r\nConnection: close\r\n\r\n")}
}

// appendPiece makes a chunk of it.
func (r httpReply) appendPiece(dst, piece []byte) []byte {
	dst = strconv.AppendInt(dst, int64(len(piece)), 16)
	dst = append(dst, "\r\n"...)
	dst = append(dst, piece...)
	return append(dst, "\r\n"...)
}

func (r httpReply) appendEnd(dst []byte) []byte {
	if !r.chunked {
		return dst
	}
	return append(dst, "0\r\n\r\n"...)
}
