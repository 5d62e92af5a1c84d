package http1_test

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/rondo-go/rondo/http1"
)

// malformed are requests that are none, or nearly none, and those with which one server is made to see another request than the next. Behind each goes a whole request for /probe, so that what is
// answered says where the first one was taken to end. ours is what http1 makes of one where net/http makes something else of it, and why: sections are of RFC 9112 if nothing else is said.
var malformed = []struct{ raw, ours, why string }{
	// Request lines.
	{"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "200 GET / h,probe", "2.2: an empty line before a request line is to be ignored"},
	{"\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "200 GET / h,probe", "2.2: as above"},
	{"\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "200 GET / h,probe", "2.2: an LF alone ends a line too"},
	{" GET / HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET /  HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET /\tHTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET / HTTP/1.1 \r\nHost: h\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\t\r\nHost: h\r\n\r\n", "", ""},
	{"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET / HTTP/1.1 x\r\nHost: h\r\n\r\n", "", ""},
	{"GET /\r\n\r\n", "", ""},
	{"GET / \r\nHost: h\r\n\r\n", "", ""},
	{"GET\r\n\r\n", "", ""},
	{"GET /#fragment HTTP/1.1\r\nHost: h\r\n\r\n", "4xx", "3.2: a target has no fragment, and what is before it is another one"},
	{"GET /\x00 HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET /\x7f HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET /\rx HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET /\x0bx HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET /% HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\rHost: h\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\nHost: h\n\n", "", ""},
	{"GET / HTTP/1.1\r\r\nHost: h\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\n\rHost: h\r\n\r\n", "", ""},
	{"GET x HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET ?x HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET ../x HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET \"/\" HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	// Methods.
	{"get / HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"gEt / HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"G@T / HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"G(T / HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"G\x00T / HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"GÄT / HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"!#$%&'*+-.^_`|~ / HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{strings.Repeat("M", 300) + " / HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	// Versions.
	{"GET / HTTP/0.9\r\nHost: h\r\n\r\n", "", ""},
	{"GET / HTTP/1.10\r\nHost: h\r\n\r\n", "", ""},
	{"GET / HTTP/1.2\r\nHost: h\r\n\r\n", "", ""},
	{"GET / HTTP/1.9\r\nHost: h\r\n\r\n", "", ""},
	{"GET / HTTP/01.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET / HTTP/1.01\r\nHost: h\r\n\r\n", "", ""},
	{"GET / HTTP/1\r\nHost: h\r\n\r\n", "", ""},
	{"GET / HTTP/1.\r\nHost: h\r\n\r\n", "", ""},
	{"GET / HTTP/.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET / HTTP/2.0\r\nHost: h\r\n\r\n", "", ""},
	{"GET / HTTP/3.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET / HTTP/-1.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET / HTTP/1.1a\r\nHost: h\r\n\r\n", "", ""},
	{"GET / http/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET / HTTPS/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET / HTTP 1.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET / HTTP/1,1\r\nHost: h\r\n\r\n", "", ""},
	// Host.
	{"GET / HTTP/1.1\r\n\r\n", "", ""},
	{"GET / HTTP/1.0\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost:\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n", "", ""},
	{"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", "4xx", "RFC 3986, 3.2.3: a port is digits"},
	{"GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", "4xx", "as above"},
	{"GET / HTTP/1.1\r\nHost: a_b\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "4xx", "RFC 3986, 3.2.2: the bracket is not closed"},
	{"GET / HTTP/1.1\r\nHost: \"a\"\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: a\x00\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: ä\r\n\r\n", "", ""},
	{"GET http://other/x HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET http://other/x HTTP/1.1\r\n\r\n", "", ""},
	{"GET http://other/x HTTP/1.1\r\nHost:\r\n\r\n", "4xx", "3.2: the Host must be that of the target"},
	{"GET http:///x HTTP/1.1\r\nHost: h\r\n\r\n", "4xx", "RFC 9110, 4.2.1: an http URI without a host is invalid"},
	{"GET http://u:p@other/x HTTP/1.1\r\nHost: h\r\n\r\n", "4xx", "RFC 9110, 4.2.4: user information is an error"},
	{"GET http:x HTTP/1.1\r\nHost: h\r\n\r\n", "4xx", "3.2.2: an absolute form has a host"},
	{"GET //other/x HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"CONNECT other:80 HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"CONNECT other HTTP/1.1\r\nHost: h\r\n\r\n", "4xx", "3.2.3: CONNECT's target has a port"},
	{"GET other:80 HTTP/1.1\r\nHost: h\r\n\r\n", "4xx", "3.2.3: the authority form is for CONNECT only"},
	{"GET * HTTP/1.1\r\nHost: h\r\n\r\n", "4xx", "3.2.4: the asterisk form is for OPTIONS only"},
	// Fields.
	{"GET / HTTP/1.1\r\nHost : h\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost\t: h\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\n Host: h\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", "4xx", "5.2: obs-fold is refused, or replaced by spaces as net/http does; whoever is behind may do neither"},
	{"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n\tb\r\n\r\n", "4xx", "as above"},
	{"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n \r\n\r\n", "4xx", "as above"},
	{"GET / HTTP/1.1\r\nHost: h\r\n: y\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: h\r\nX\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: h\r\nX y: z\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: h\r\nX_y: z\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: h\r\nX(y: z\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: h\r\nX\x00: z\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: h\r\nX: \x00\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: h\r\nX: \x01\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: h\r\nX: a\nY: b\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: h\r\nX: \x80\xff\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: h\r\nÄ: b\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n\rGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: h\r\nExpect: magic\r\n\r\n", "", ""},
	// Content-Length.
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -3\r\n\r\nabc", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -0\r\n\r\nabc", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x3\r\n\r\nabc", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3.0\r\n\r\nabc", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3 \r\n\r\nabc", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 003\r\n\r\nabc", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3 3\r\n\r\nabc", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3,4\r\n\r\nabc", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "4xx", "6.3: several that are equal may be refused"},
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\ncontent-length: 3\r\n\r\nabc", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9223372036854775808\r\n\r\nabc", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\nabc", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 3\r\n\r\nabc", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \x0b3\r\n\r\nabc", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ３\r\n\r\nabc", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nContent_Length: 3\r\n\r\n", "", ""},
	{"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", "", ""},
	{"HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", "", ""},
	// Content-Length and Transfer-Encoding.
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "4xx", "6.1: it may be refused, and ought to be handled as an error; net/http goes by the Transfer-Encoding"},
	{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", "4xx", "as above"},
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n5c\r\nGPOST / HTTP/1.1\r\n\r\n0\r\n\r\n", "4xx", "6.1: TE.CL, where net/http has the body be broken"},
	{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: identity\r\n\r\nabcde", "4xx", "6.1: there are both, which is the worse of its two faults"},
	{"POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "4xx", "6.1: of HTTP/1.0 it is faulty framing; net/http does not heed it, and has the chunks be the next request"},
	{"POST / HTTP/1.0\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\nabc", "4xx", "as above"},
	// Transfer-Encoding.
	{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: CHUNKED\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "4xx", "6.1: chunked twice is wrong, and no coding that is not known"},
	{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", "4xx", "6.1: chunked is not last"},
	{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", "4xx", "6.1: chunked is not last, so the body has no end that anybody knows"},
	{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "4xx", "6.1: chunked twice is wrong, and no coding that is not known"},
	{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", "4xx", "7: no coding is in quotes, so it is wrong and not unknown"},
	{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", "4xx", "7.1: chunked has no parameters"},
	{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n", "4xx", "6.1: a list of codings is not empty"},
	{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", "4xx", "6.1: a list of codings has no empty element"},
	{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nX: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "4xx", "5.2: obs-fold"},
	{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", "4xx", "5.2: obs-fold"},
	{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\x0b\r\n\r\n0\r\n\r\n", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \x00chunked\r\n\r\n0\r\n\r\n", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nTransfer_Encoding: chunked\r\n\r\n", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked \r\n\r\n0\r\n\r\n", "", ""},
	{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n", "", ""},
	// Chunks.
	{chunked + "3;a=b\r\nabc\r\n0\r\n\r\n", "", ""},
	{chunked + "3 ;a=b\r\nabc\r\n0\r\n\r\n", "", ""},
	{chunked + "3 \r\nabc\r\n0\r\n\r\n", "broken", "7.1: nothing is between a size and its line's end"},
	{chunked + " 3\r\nabc\r\n0\r\n\r\n", "", ""},
	{chunked + "+3\r\nabc\r\n0\r\n\r\n", "", ""},
	{chunked + "-3\r\nabc\r\n0\r\n\r\n", "", ""},
	{chunked + "0x3\r\nabc\r\n0\r\n\r\n", "", ""},
	{chunked + "3\nabc\r\n0\r\n\r\n", "", ""},
	{chunked + "3\r\nabc\n0\r\n\r\n", "", ""},
	{chunked + "3\rabc\r\n0\r\n\r\n", "", ""},
	{chunked + "3\r\nabcX\r\n0\r\n\r\n", "", ""},
	{chunked + "3\r\nabc0\r\n\r\n", "", ""},
	{chunked + "3\r\nabcd\r\n0\r\n\r\n", "", ""},
	{chunked + "\r\nabc\r\n0\r\n\r\n", "", ""},
	{chunked + "g\r\nabc\r\n0\r\n\r\n", "", ""},
	{chunked + "3_0\r\nabc\r\n0\r\n\r\n", "", ""},
	{chunked + "0003\r\nabc\r\n000\r\n\r\n", "", ""},
	{chunked + "ffffffffffffffff\r\nabc\r\n0\r\n\r\n", "", ""},
	{chunked + "10000000000000000\r\nabc\r\n0\r\n\r\n", "", ""},
	{chunked + "10000000000000003\r\nabc\r\n0\r\n\r\n", "", ""},
	{chunked + strings.Repeat("0", 20) + "3\r\nabc\r\n0\r\n\r\n", "", ""},
	{chunked + "3;" + strings.Repeat("x", 5000) + "\r\nabc\r\n0\r\n\r\n", "", ""},
	{chunked + "3;a=\x00\r\nabc\r\n0\r\n\r\n", "broken", "7.1.1: an extension has no control characters"},
	{chunked + "3;a=\rb\r\nabc\r\n0\r\n\r\n", "", ""},
	{chunked + "3;a=\nb\r\nabc\r\n0\r\n\r\n", "", ""},
	{chunked + "3\r\nabc\r\n0\r\nX: y\r\n\r\n", "", ""},
	{chunked + "3\r\nabc\r\n0\r\nX : y\r\n\r\n", "broken", "5.1: whitespace before a colon"},
	{chunked + "3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n", "broken", "RFC 9110, 6.5.1: a field that frames is not to be among the trailers"},
	{chunked + "3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n", "broken", "as above"},
	{chunked + "3\r\nabc\r\n0\r\nHost: other\r\n\r\n", "broken", "as above"},
	{chunked + "3\r\nabc\r\n0\r\nX: a\r\n b\r\n\r\n", "broken", "5.2: obs-fold"},
	{chunked + "3\r\nabc\r\n0\r\n\n", "broken", "7.1: a trailer section ends with CRLF"},
	{chunked + "3\r\nabc\r\n0\n\r\n", "", ""},
}

const chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

// verdict is what became of a request: the answers' classes, and what the handler has understood. A body that was broken is "broken", whatever the answer to it.
func verdict(t *testing.T, addr, raw string) string {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer c.Close()
	io.WriteString(c, raw+"GET /probe HTTP/1.1\r\nHost: h\r\n\r\n")
	c.(*net.TCPConn).CloseWrite()
	var all []string
	in := bufio.NewReader(c)
	for {
		method, _, _ := strings.Cut(raw, " ")
		if len(all) > 0 {
			method = "GET"
		}
		res, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return cmp.Or(strings.Join(all, ","), "nothing")
		}
		body, _ := io.ReadAll(res.Body)
		switch {
		case res.StatusCode != 200:
			all = append(all, fmt.Sprintf("%dxx", res.StatusCode/100))
		case string(body) == "200 GET /probe h":
			all = append(all, "probe")
		default:
			all = append(all, string(body))
		}
	}
}

// TestMalformed has net/http and http1 judge the same requests.
func TestMalformed(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			io.WriteString(w, "broken")
			return
		}
		io.WriteString(w, strings.TrimSpace(fmt.Sprintf("200 %s %s %s %s", r.Method, r.RequestURI, r.Host, body)))
	})
	ref := httptest.NewUnstartedServer(h)
	ref.Config.ErrorLog = log.New(io.Discard, "", 0)
	ref.Start()
	defer ref.Close()
	addrs := map[string]string{}
	for name, h := range kinds(h) {
		addrs[name] = serve(t, &http1.Server{Handler: h})
	}
	if len(malformed) < 150 {
		t.Errorf("only %d requests are in the table", len(malformed))
	}
	var all sync.WaitGroup
	for _, x := range malformed {
		all.Go(func() {
			theirs := verdict(t, ref.Listener.Addr().String(), x.raw)
			want := cmp.Or(x.ours, theirs)
			if x.ours != "" && x.ours == theirs {
				t.Errorf("%.150q: net/http says %q too, so there is nothing to explain", x.raw, theirs)
			}
			for name, addr := range addrs {
				if name == "on the loop" && want == "broken" {
					want = "4xx" // it is not called
				}
				if got := verdict(t, addr, x.raw); got != want {
					t.Errorf("%.150q, %s: %q, want %q; net/http: %q", x.raw, name, got, want, theirs)
				}
				want = cmp.Or(x.ours, theirs)
			}
		})
	}
	all.Wait()
}
