//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/endpoint"
)

// The same server, and the same client, at four places. ADDR is the address that the server has got.
func Example() {
	engine, err := rondo.New(rondo.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	dir, err := os.MkdirTemp("", "anywhere")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()

	for _, place := range []struct{ server, client string }{
		{"tcp:127.0.0.1:0", "tcp:ADDR"},
		{"unix:" + filepath.Join(dir, "plain"), "unix:ADDR"},
		{"tls:127.0.0.1:0?selfsigned", "tls:ADDR?insecure"},
		{"tls+unix:" + filepath.Join(dir, "secure") + "?selfsigned", "tls+unix:ADDR?insecure"},
	} {
		listener, err := serve(engine, place.server)
		if err != nil {
			fmt.Println(err)
			return
		}
		answer, err := greet(engine, strings.Replace(place.client, "ADDR", listener.Addr().String(), 1))
		word, _, _ := strings.Cut(place.server, ":")
		fmt.Printf("%s: %s %v\n", word, answer, err)
	}
	// Output:
	// tcp: Hello, Ada! <nil>
	// unix: Hello, Ada! <nil>
	// tls: Hello, Ada! <nil>
	// tls+unix: Hello, Ada! <nil>
}

// greet is a client that does not know either.
func greet(e *rondo.Engine, at string) (string, error) {
	c, err := endpoint.DialNet(context.Background(), e, at)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := io.WriteString(c, "Ada\n"); err != nil {
		return "", err
	}
	answer := make([]byte, len("Hello, Ada!\n"))
	_, err = io.ReadFull(c, answer)
	return strings.TrimSpace(string(answer)), err
}

// A place that is none is refused with a sentence.
func Example_refused() {
	engine, err := rondo.New(rondo.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	_, err = serve(engine, "tls:127.0.0.1:7443")
	fmt.Println(err)
	// Output:
	// endpoint "tls:127.0.0.1:7443": a server of TLS needs a certificate: cert=FILE&key=FILE, or selfsigned for one that is made for this run
}
