package wire

import (
	"net/http"
	"strconv"
)

// statusLines are those of the statuses that are known, for either version.
var statusLines = func() (lines [2][600]string) {
	for status := range lines[0] {
		if text := http.StatusText(status); text != "" {
			lines[0][status] = "HTTP/1.0 " + strconv.Itoa(status) + " " + text + "\r\n"
			lines[1][status] = "HTTP/1.1 " + strconv.Itoa(status) + " " + text + "\r\n"
		}
	}
	return lines
}()

// AppendStatusLine appends the first line of a response in HTTP/1.minor.
func AppendStatusLine(dst []byte, minor, status int) []byte {
	if status >= 0 && status < len(statusLines[0]) && statusLines[minor&1][status] != "" {
		return append(dst, statusLines[minor&1][status]...)
	}
	dst = append(dst, "HTTP/1."...)
	dst = append(dst, byte('0'+minor&1), ' ')
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, " status code "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	return append(dst, "\r\n"...)
}

// AppendField appends a field line. A value has no line breaks and no NULs: in their place spaces are written, lest one field become two. The name must be valid: see ValidName.
func AppendField(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	n := len(dst)
	dst = append(dst, value...)
	for i := range len(value) {
		if c := value[i]; c == '\r' || c == '\n' || c == 0 {
			dst[n+i] = ' '
		}
	}
	return append(dst, "\r\n"...)
}

// AppendChunk appends p as a chunk; nothing if p is empty, since an empty chunk is the last.
func AppendChunk(dst, p []byte) []byte {
	if len(p) == 0 {
		return dst
	}
	dst = strconv.AppendUint(dst, uint64(len(p)), 16)
	dst = append(dst, "\r\n"...)
	dst = append(dst, p...)
	return append(dst, "\r\n"...)
}

// AppendLastChunk appends the end of a body in the chunked coding.
func AppendLastChunk(dst []byte, trailers ...Field) []byte {
	dst = append(dst, "0\r\n"...)
	for _, f := range trailers {
		dst = AppendField(dst, string(f.Name), string(f.Value))
	}
	return append(dst, "\r\n"...)
}
