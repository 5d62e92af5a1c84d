package http1

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rondo-go/rondo/http1/wire"
)

// response is the part of an answer that is the same wherever the handler runs: what was said, and how it is put on the wire. It belongs to the handler's goroutine.
type response struct {
	req      *http.Request
	clock    *clock
	onLoop   bool
	header   http.Header
	snapshot http.Header // of header when WriteHeader was called, if it was since
	status   int         // 0 until WriteHeader
	body     []byte      // written and not in out
	out      []byte      // to be sent
	length   int64       // what Content-Length says; -1 if nothing
	written  int64       // bytes of the body
	trailers []string    // that were announced
	names    []string    // see sorted
	returned bool        // the handler has
	headSent bool        // the head is in out, or sent
	chunked  bool
	close    bool // the connection cannot be used again
	draining bool // and not because the handler has said so
}

// bodyAllowed says that an answer of that status may have a body (RFC 9110, section 6.4.1).
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// now is the time, as clock knows it.
func (w *response) now() time.Duration {
	if w.onLoop {
		return w.clock.elapsed()
	}
	return w.clock.loop.Elapsed()
}

func (w *response) isHead() bool { return w.req.Method == http.MethodHead }

// checkStatus panics as net/http does.
func checkStatus(status int) {
	if status < 100 || status > 999 {
		panic("http1: WriteHeader of a status that has not three digits: " + itoa(status))
	}
}

// setStatus is WriteHeader but for what goes out before the answer.
func (w *response) setStatus(status int) {
	w.status = status
	w.length = -1
	if given, ok := w.header["Content-Length"]; ok && len(given) > 0 {
		n, err := strconv.ParseInt(textTrim(given[0]), 10, 64)
		if err != nil || n < 0 {
			delete(w.header, "Content-Length")
		} else {
			w.length = n
		}
	}
	if w.status == http.StatusSwitchingProtocols {
		w.close = true
	}
}

// inform puts an answer before the answer into out (RFC 9110, section 15.2).
func (w *response) inform(status int) {
	if w.req.ProtoMinor == 0 || status == http.StatusContinue {
		return // HTTP/1.0 knows none; and 100 is said when the body is read
	}
	w.out = wire.AppendStatusLine(w.out, 1, status)
	for _, name := range w.sorted(w.header) {
		if name == "Content-Length" || name == "Transfer-Encoding" || !wire.ValidName(name) {
			continue
		}
		for _, v := range w.header[name] {
			w.out = wire.AppendField(w.out, name, v)
		}
	}
	w.out = append(w.out, "\r\n"...)
}

// freeze keeps the header as it is: what is changed from now on does not count, but for trailers.
func (w *response) freeze() { w.snapshot = w.header.Clone() }

// take counts n bytes of the body that are to be written, and says what is wrong with them.
func (w *response) take(n int) error {
	if w.status == 0 {
		w.setStatus(http.StatusOK)
	}
	if !bodyAllowed(w.status) {
		return http.ErrBodyNotAllowed
	}
	if w.length >= 0 && w.written+int64(n) > w.length {
		return http.ErrContentLength
	}
	w.written += int64(n)
	return nil
}

// room is how many of n more bytes are kept: of the answer to a HEAD, what its Content-Type is told by.
func (w *response) room(n int) int {
	if w.isHead() {
		return min(n, max(0, sniffed-len(w.body)))
	}
	return n
}

const sniffed = 512 // bytes that http.DetectContentType looks at

// commit puts the head into out. All says that the body is all there is of it.
func (w *response) commit(all bool) {
	if w.headSent {
		return
	}
	w.headSent = true
	h := w.header
	if w.snapshot != nil {
		h = w.snapshot
	}
	minor := w.req.ProtoMinor
	allowed := bodyAllowed(w.status)
	names := w.sorted(h)
	said := w.survey(h, names)
	length := w.frame(minor, all)
	if w.req.Close && minor == 1 || w.draining {
		w.close = true
	}

	out := wire.AppendStatusLine(w.out, minor, w.status)
	for _, name := range names {
		switch {
		case name == "Content-Length", name == "Transfer-Encoding", w.isTrailer(name):
			continue
		case name == "Content-Type" && w.status == http.StatusNotModified: // RFC 9110, section 15.4.5: it would be the other answer's
			continue
		}
		for _, v := range h[name] {
			out = wire.AppendField(out, name, v)
		}
	}
	if said&saidDate == 0 {
		out = append(out, w.clock.field(w.now())...)
	}
	if allowed && len(w.body) > 0 && said&(saidType|saidEncoding) == 0 {
		out = wire.AppendField(out, "Content-Type", http.DetectContentType(w.body))
	}
	switch {
	case length >= 0:
		out = append(out, "Content-Length: "...)
		out = strconv.AppendInt(out, length, 10)
		out = append(out, "\r\n"...)
	case w.chunked:
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	}
	switch {
	case said&saidConnection != 0, w.status == http.StatusSwitchingProtocols:
	case w.close && minor == 1:
		out = append(out, "Connection: close\r\n"...)
	case minor == 0 && !w.close && !w.req.Close:
		out = append(out, "Connection: keep-alive\r\n"...)
	}
	w.close = w.close || w.req.Close
	w.out = append(out, "\r\n"...)
}

// said is what a handler has said itself.
type said uint8

const (
	saidDate said = 1 << iota
	saidType
	saidEncoding
	saidConnection
)

// survey looks at what of a header is not only passed on.
func (w *response) survey(h http.Header, names []string) (s said) {
	for _, name := range names {
		switch name {
		case "Date":
			s |= saidDate
		case "Content-Type":
			s |= saidType
		case "Content-Encoding":
			if v := h[name]; len(v) > 0 && v[0] != "" {
				s |= saidEncoding
			}
		case "Connection":
			s |= saidConnection
			for _, v := range h[name] {
				w.close = w.close || hasToken(v, "close")
			}
		case "Trailer":
			w.announce(h[name])
		}
	}
	return s
}

// frame decides how the body's end is told (RFC 9112, section 6). It returns what Content-Length is to say; -1 if nothing.
func (w *response) frame(minor int, all bool) int64 {
	switch {
	case !bodyAllowed(w.status):
		return -1
	case w.length >= 0:
	case all && len(w.trailers) == 0 && (!w.isHead() || w.written > 0):
		return w.written
	case w.isHead():
	case minor == 1:
		w.chunked = true
	default:
		w.close = true
	}
	return w.length
}

// isTrailer reports whether a field comes behind the body.
func (w *response) isTrailer(name string) bool {
	return strings.HasPrefix(name, http.TrailerPrefix) || len(w.trailers) > 0 && slices.Contains(w.trailers, name)
}

// flush puts into out what there is of the body.
func (w *response) flush() {
	switch {
	case w.isHead() || len(w.body) == 0:
	case w.chunked:
		w.out = wire.AppendChunk(w.out, w.body)
	default:
		w.out = append(w.out, w.body...)
	}
	w.body = w.body[:0]
}

// finish puts the rest into out. It reports whether the answer is as it was announced; if not the connection must end, so that nobody takes it for whole.
func (w *response) finish() bool {
	if w.status == 0 {
		w.setStatus(http.StatusOK)
	}
	w.commit(true)
	w.flush()
	if w.chunked && !w.isHead() {
		w.out = wire.AppendLastChunk(w.out, w.trailing()...)
	}
	if w.length >= 0 && w.written < w.length && bodyAllowed(w.status) && !w.isHead() {
		return false
	}
	return true
}

// announce notes which fields come behind the body.
func (w *response) announce(values []string) {
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			name = http.CanonicalHeaderKey(textTrim(name))
			switch name {
			case "Transfer-Encoding", "Content-Length", "Trailer": // RFC 9110, section 6.5.1
			default:
				w.trailers = append(w.trailers, name)
			}
		}
	}
}

// trailing are those fields.
func (w *response) trailing() (fields []wire.Field) {
	for _, name := range w.sorted(w.header) {
		bare, late := strings.CutPrefix(name, http.TrailerPrefix)
		if !late && !slices.Contains(w.trailers, name) || !wire.ValidName(bare) {
			continue
		}
		for _, v := range w.header[name] {
			fields = append(fields, wire.Field{Name: []byte(http.CanonicalHeaderKey(bare)), Value: []byte(v)})
		}
	}
	return fields
}

func (w *response) reset() {
	clear(w.header)
	*w = response{req: w.req, clock: w.clock, onLoop: w.onLoop, header: w.header, names: w.names, body: w.body[:0], out: w.out[:0]}
	if cap(w.body) > maxKept {
		w.body = nil
	}
	if cap(w.out) > maxKept {
		w.out = nil
	}
}

// maxKept is how large a buffer may be that is kept for the next answer.
const maxKept = 64 << 10

// sorted are the names of a header in order, so that the same answer is always the same bytes. They are good until it is called again.
func (w *response) sorted(h http.Header) []string {
	names := w.names[:0]
	for name := range h {
		names = append(names, name)
	}
	if len(names) > 1 {
		slices.Sort(names)
	}
	w.names = names
	return names
}

func textTrim(s string) string { return strings.Trim(s, " \t") }

// hasToken reports whether a list has a token, whose case does not matter.
func hasToken(list, token string) bool {
	for t := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(textTrim(t), token) {
			return true
		}
	}
	return false
}
