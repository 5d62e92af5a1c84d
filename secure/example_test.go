package secure_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/secure"
)

// greeter tells its client what the two have agreed on.
type greeter struct{}

func (greeter) ConnectionMade(c *rondo.Conn) {
	state, _ := secure.State(c)
	fmt.Fprintf(c, "hello over %s, %s\n", tls.VersionName(state.Version), state.ServerName)
	_ = c.Close()
}

func (greeter) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }
func (greeter) ConnectionLost(*rondo.Conn, error)        {}

// printer prints what it receives.
type printer struct{ ended chan struct{} }

func (printer) ConnectionMade(*rondo.Conn) {}
func (printer) DataReceived(_ *rondo.Conn, p []byte) int {
	fmt.Print(string(p))
	return len(p)
}

func (p printer) ConnectionLost(_ *rondo.Conn, err error) {
	fmt.Println("ended:", err == io.EOF) //nolint:errorlint // documented to be bare
	close(p.ended)
}

// A server and a client that are plain but for one line each.
func Example() {
	certificate, roots := selfSigned()

	engine, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()

	server := secure.Config{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}}
	ln, err := engine.Listen("tcp", "127.0.0.1:0", server.Server(func() rondo.Protocol { return greeter{} }))
	if err != nil {
		log.Fatal(err)
	}

	client := secure.Config{TLS: &tls.Config{RootCAs: roots, ServerName: "localhost"}}
	p := printer{make(chan struct{})}
	if _, err := client.Dial(context.Background(), engine, "tcp", ln.Addr().String(), p).Wait(context.Background()); err != nil {
		log.Fatal(err)
	}
	<-p.ended
	// Output:
	// hello over TLS 1.3, localhost
	// ended: true
}

func selfSigned() (certificate tls.Certificate, roots *x509.CertPool) {
	testing.Benchmark(func(b *testing.B) { certificate, roots = rig.Certificate(b) })
	return certificate, roots
}
