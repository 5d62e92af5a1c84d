package wire_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/rondo-go/rondo/http1/wire"
)

// A request that comes in two pieces, with a chunked body and the beginning of the next request behind it.
func Example() {
	var (
		request wire.Request
		body    wire.Chunks
		come    []byte
	)
	for _, piece := range []string{
		"POST /poems HTTP/1.1\r\nHost: example.org\r\nTransfer-Enc",
		"oding: chunked\r\n\r\n5\r\nHello\r\n7\r\n, World\r\n0\r\n\r\nGET /",
	} {
		come = append(come, piece...)
		n, err := request.Parse(come, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		if n == 0 {
			fmt.Println("more is needed")
			continue
		}
		come = come[n:]
		fmt.Printf("%s %s of %s, chunked: %v\n", request.Method, request.Target, request.Host, request.Body.Chunked)
	}
	for !body.Done() {
		data, n, err := body.Next(come)
		if n == 0 || err != nil {
			fmt.Println("the body is not whole", err)
			return
		}
		fmt.Printf("%s", data)
		come = come[n:]
	}
	fmt.Printf("\n%q is left\n", come)
	// Output:
	// more is needed
	// POST /poems of example.org, chunked: true
	// Hello, World
	// "GET /" is left
}

// What two parsers could read as two different messages is refused, with the status to answer with.
func ExampleRequest_Parse_smuggling() {
	var r wire.Request
	_, err := r.Parse([]byte("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"), nil)
	if bad, ok := errors.AsType[*wire.Error](err); ok {
		fmt.Println(bad.Status, bad.Reason)
	}
	// Output:
	// 400 there are both Content-Length and Transfer-Encoding, which are two lengths (section 6.3)
}

func ExampleAppendField() {
	p := wire.AppendStatusLine(nil, 1, 200)
	p = wire.AppendField(p, "Content-Type", "text/plain")
	p = wire.AppendField(p, "X-Note", "one line\r\nX-Injected: is what this stays")
	fmt.Print(strings.ReplaceAll(string(p), "\r\n", "\n"))
	// Output:
	// HTTP/1.1 200 OK
	// Content-Type: text/plain
	// X-Note: one line  X-Injected: is what this stays
}
