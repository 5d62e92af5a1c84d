package wire

import "net/textproto"

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

const alphanumeric = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

var (
	isToken = tableOf(alphanumeric + "!#$%&'*+-.^_`|~")     // RFC 9110, section 5.6.2
	isHost  = tableOf(alphanumeric + "!$%&'()*+,-.:;=[]_~") // RFC 3986, section 3.2.2, and a port
)

func tableOf(chars string) (t [256]bool) {
	for i := range len(chars) {
		t[chars[i]] = true
	}
	return t
}

// ValidName reports whether name is a field's or a method's: a token (RFC 9110, section 5.6.2).
func ValidName(name string) bool {
	for i := range len(name) {
		if !isToken[name[i]] {
			return false
		}
	}
	return name != ""
}

// CanonicalName is a field's name as net/http has it in an http.Header. For names that are common it allocates nothing.
func CanonicalName(name []byte) string {
	if s, ok := common[string(name)]; ok {
		return s
	}
	return textproto.CanonicalMIMEHeaderKey(string(name))
}

// common are field names as they are written and as some clients, and all of HTTP/2's proxies, send them.
var common = func() map[string]string {
	m := map[string]string{}
	for _, name := range []string{
		"Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Cookie",
		"Date", "Dnt", "Etag", "Expect", "Forwarded", "From", "Host", "If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Keep-Alive", "Last-Modified",
		"Link", "Location", "Origin", "Pragma", "Priority", "Range", "Referer", "Sec-Ch-Ua", "Sec-Ch-Ua-Mobile", "Sec-Ch-Ua-Platform", "Sec-Fetch-Dest", "Sec-Fetch-Mode",
		"Sec-Fetch-Site", "Sec-Fetch-User", "Sec-Websocket-Extensions", "Sec-Websocket-Key", "Sec-Websocket-Protocol", "Sec-Websocket-Version", "Server", "Set-Cookie", "Te", "Traceparent",
		"Trailer", "Transfer-Encoding", "Upgrade", "Upgrade-Insecure-Requests", "User-Agent", "Vary", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip",
		"X-Request-Id", "X-Requested-With",
	} {
		m[name] = name
		lower := []byte(name)
		for i, c := range lower {
			if c >= 'A' && c <= 'Z' {
				lower[i] |= 0x20
			}
		}
		m[string(lower)] = name
	}
	m["DNT"], m["TE"], m["ETag"] = "Dnt", "Te", "Etag"
	m["Sec-WebSocket-Extensions"], m["Sec-WebSocket-Key"] = "Sec-Websocket-Extensions", "Sec-Websocket-Key"
	m["Sec-WebSocket-Protocol"], m["Sec-WebSocket-Version"] = "Sec-Websocket-Protocol", "Sec-Websocket-Version"
	return m
}()
