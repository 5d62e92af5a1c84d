package httpd_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/httpd"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/secure"
)

// TestBoth talks to one server in both versions, and with two kinds of handler.
func TestBoth(t *testing.T) {
	cert, pool := rig.Certificate(t)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s over %s %q", r.Proto, tls.VersionName(r.TLS.Version), body)
	})
	for name, h := range map[string]http.Handler{"goroutine": h, "on the loop": http1.NonBlocking(h), "task": http1.Task(h)} {
		for want, protos := range map[string][]string{
			"HTTP/1.1 over TLS 1.3 \"\"": {"http/1.1"},
			"HTTP/2.0 over TLS 1.3 \"\"": {"h2", "http/1.1"},
		} {
			t.Run(name+" "+want, func(t *testing.T) {
				e := rig.New(t, rondo.Config{})
				cfg := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: httpd.Protocols}
				ln, err := e.Listen("tcp", "127.0.0.1:0", secure.Config{TLS: cfg}.Server(httpd.Protocol(&http1.Server{Handler: h})))
				if err != nil {
					t.Fatal(err)
				}
				tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, NextProtos: protos, ServerName: "localhost"}, ForceAttemptHTTP2: len(protos) > 1}
				defer tr.CloseIdleConnections()
				for range 2 {
					res, err := (&http.Client{Transport: tr}).Get("https://" + ln.Addr().String())
					if err != nil {
						t.Fatal(err)
					}
					if body, err := io.ReadAll(res.Body); err != nil || string(body) != want {
						t.Fatalf("%q %v", body, err)
					}
					res.Body.Close()
				}
			})
		}
	}
}

// TestShutdown has an engine end under clients of both versions that keep their connections: a request that is under way is answered, and nobody is waited for beyond that.
func TestShutdown(t *testing.T) {
	cert, pool := rig.Certificate(t)
	for _, protos := range [][]string{{"http/1.1"}, {"h2"}} {
		t.Run(protos[0], func(t *testing.T) {
			began, release := make(chan bool, 1), make(chan bool)
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/wait" {
					began <- true
					<-release
				}
				io.WriteString(w, "done")
			})
			e := rig.New(t, rondo.Config{Loops: 2})
			cfg := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: httpd.Protocols}
			ln, err := e.Listen("tcp", "127.0.0.1:0", secure.Config{TLS: cfg}.Server(httpd.Protocol(&http1.Server{Handler: h})))
			if err != nil {
				t.Fatal(err)
			}
			get := func(path string) (string, error) {
				tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, NextProtos: protos, ServerName: "localhost"}, ForceAttemptHTTP2: protos[0] == "h2"}
				t.Cleanup(tr.CloseIdleConnections)
				res, err := (&http.Client{Transport: tr}).Get("https://" + ln.Addr().String() + path)
				if err != nil {
					return "", err
				}
				defer res.Body.Close()
				body, err := io.ReadAll(res.Body)
				return string(body), err
			}
			for range 4 { // connections that stay
				if body, err := get("/"); err != nil || body != "done" {
					t.Fatal(body, err)
				}
			}
			got := make(chan string, 1)
			go func() {
				body, err := get("/wait")
				got <- fmt.Sprint(body, err)
			}()
			rig.Await(t, began)
			down := make(chan error, 1)
			go func() { down <- e.Shutdown(t.Context()) }()
			for _, l := range e.Loops() {
				rig.On(t, l, func() {}) // it has drained
			}
			close(release)
			if body := rig.Await(t, got); body != "done<nil>" {
				t.Error(body)
			}
			if err := rig.Await(t, down); err != nil {
				t.Error(err)
			}
		})
	}
}
