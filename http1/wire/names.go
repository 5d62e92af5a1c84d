package wire

import "net/textproto"

// common are names in their canonical form that are worth not allocating.
var common = []string{
	"Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Accept-Patch", "Accept-Ranges", "Access-Control-Allow-Credentials", "Access-Control-Allow-Headers",
	"Access-Control-Allow-Methods", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Access-Control-Max-Age", "Access-Control-Request-Headers", "Access-Control-Request-Method", "Age",
	"Allow", "Alt-Svc", "Authorization", "Cache-Control", "Cf-Connecting-Ip", "Cf-Ray", "Connection", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length", "Content-Location",
	"Content-Range", "Content-Security-Policy", "Content-Type", "Cookie", "Date", "Dnt", "Etag", "Expect", "Expires", "Forwarded", "From", "Host", "If-Match", "If-Modified-Since", "If-None-Match",
	"If-Range", "If-Unmodified-Since", "Keep-Alive", "Last-Event-Id", "Last-Modified", "Link", "Location", "Max-Forwards", "Origin", "Permissions-Policy", "Pragma", "Priority", "Proxy-Authenticate", "Proxy-Authorization",
	"Proxy-Connection", "Range", "Referer", "Referrer-Policy", "Retry-After", "Sec-Ch-Ua", "Sec-Ch-Ua-Mobile", "Sec-Ch-Ua-Platform", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-User", "Sec-Gpc",
	"Sec-Websocket-Accept", "Sec-Websocket-Extensions", "Sec-Websocket-Key", "Sec-Websocket-Protocol", "Sec-Websocket-Version", "Server", "Server-Timing", "Set-Cookie", "Strict-Transport-Security", "Te",
	"Traceparent", "Tracestate", "Trailer", "Transfer-Encoding", "Upgrade", "Upgrade-Insecure-Requests", "User-Agent", "Vary", "Via", "Www-Authenticate", "X-Content-Type-Options", "X-Csrf-Token",
	"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Frame-Options", "X-Powered-By", "X-Real-Ip", "X-Request-Id", "X-Requested-With", "X-Xss-Protection",
}

const slotCount = 512

// slots finds them: each is at the slot that slot gives, or at one of those behind it before the first empty one. A quarter is in use.
var slots = func() (t [slotCount]string) {
	for _, name := range common {
		i := slot([]byte(name))
		for t[i] != "" {
			i = (i + 1) % len(t)
		}
		t[i] = name
	}
	return t
}()

// slot depends on a name's length and three of its bytes, whatever their case.
func slot(name []byte) int {
	n := len(name)
	first, middle, last := int(name[0]|0x20), int(name[n/2]|0x20), int(name[n-1]|0x20)
	return (n*37 + first*5 + middle*19 + last*101) % slotCount
}

// CanonicalName returns the canonical form of a field's name as net/textproto's CanonicalMIMEHeaderKey does, which is how http.Header has it: "Content-Type". Names that are common cost no allocation.
func CanonicalName(name []byte) string {
	if len(name) == 0 {
		return ""
	}
	for i := slot(name); slots[i] != ""; i = (i + 1) % len(slots) {
		if s := slots[i]; string(name) == s || EqualFold(name, s) {
			return s
		}
	}
	return textproto.CanonicalMIMEHeaderKey(string(name))
}
