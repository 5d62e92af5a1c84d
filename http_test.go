package rondo_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// serveHTTP runs an http.Server on the engine; the function it returns ends it.
func serveHTTP(t *testing.T, e *engine, config *tls.Config) (addr string, stop func()) {
	t.Helper()
	ln, err := e.ListenNet("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = ln.Addr().String()
	if config != nil {
		ln = tls.NewListener(ln, config)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, "%s %s: %s", r.Method, r.URL.Path, body)
	})}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ln) }()
	return addr, func() {
		t.Helper()
		if err := server.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if err := rig.Await(t, ended); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}
}

// net/http on both ends, plain and over crypto/tls.
func TestHTTP(t *testing.T) {
	cert, pool := rig.Certificate(t)
	for _, test := range []struct {
		scheme         string
		server, client *tls.Config
	}{
		{"http", nil, nil},
		{"https", &tls.Config{Certificates: []tls.Certificate{cert}}, &tls.Config{RootCAs: pool}},
	} {
		t.Run(test.scheme, func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{Loops: 2})
			addr, stop := serveHTTP(t, e, test.server)
			var dialed sync.Map
			transport := &http.Transport{
				DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
					c, err := e.DialContext(ctx, network, address)
					dialed.Store(c, true)
					return c, err
				},
				TLSClientConfig: test.client, MaxIdleConnsPerHost: 100,
			}
			client := &http.Client{Transport: transport, Timeout: rig.Patience}
			post := func(path, body string) {
				r, err := client.Post(test.scheme+"://"+addr+path, "text/plain", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				defer r.Body.Close()
				got, err := io.ReadAll(r.Body)
				if want := "POST " + path + ": " + body; err != nil || string(got) != want {
					t.Errorf("got %s, %v", rig.Short(got), err)
				}
			}
			for i := range 20 {
				post(fmt.Sprint("/", i), "kept alive")
			}
			count := 0
			dialed.Range(func(any, any) bool { count++; return true })
			if count != 1 {
				t.Errorf("20 requests in a row took %d connections", count)
			}
			post("/large", strings.Repeat("large ", 500_000))
			var requests sync.WaitGroup
			for i := range 100 {
				requests.Go(func() { post(fmt.Sprint("/together/", i), strings.Repeat("x", i*100)) })
			}
			requests.Wait()
			transport.CloseIdleConnections()
			stop()
			if err := e.Shutdown(t.Context()); err != nil {
				t.Errorf("net/http has left a connection: %v", err)
			}
		})
	}
}

func TestHTTPForCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	e := newTestEngine(t, rondo.Config{Loops: 2})
	addr, stop := serveHTTP(t, e, nil)
	url := "http://" + addr
	out, err := exec.CommandContext(t.Context(), curl, "--silent", "--show-error", "--noproxy", "*",
		"--max-time", "20", "--data", "hello", url+"/one", url+"/two").CombinedOutput()
	if want := "POST /one: helloPOST /two: hello"; err != nil || string(out) != want {
		t.Errorf("curl says %q (%v)", out, err)
	}
	stop()
}

func TestTLSForOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	cert, _ := rig.Certificate(t)
	e := newTestEngine(t, rondo.Config{})
	ln, err := e.ListenNet("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		cmd := exec.CommandContext(t.Context(), openssl, "s_client", "-quiet", version, "-connect", ln.Addr().String())
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		cmd.Stdout = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		plain, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c := tls.Server(plain, &tls.Config{Certificates: []tls.Certificate{cert}})
		if err := c.SetDeadline(time.Now().Add(rig.Patience)); err != nil {
			t.Fatal(err)
		}
		rig.Send(t, stdin, "hello from openssl\n")
		rig.Expect(t, c, "hello from openssl\n")
		rig.Send(t, c, "hello from rondo\n")
		c.Close() // its alert ends s_client
		stdin.Close()
		if err := cmd.Wait(); err != nil || out.String() != "hello from rondo\n" {
			t.Errorf("s_client %s says %q (%v)", version, out.String(), err)
		}
	}
}
