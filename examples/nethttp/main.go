// Nethttp puts an unchanged http.Handler, an unchanged http.Server and an unchanged http.Client on the engine: its
// listeners and connections are net.Listener and net.Conn, so libraries that want those run on it as they are.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/rondo-go/rondo"
)

// hello knows nothing of rondo.
func hello(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "Hello, %s!", r.URL.Query().Get("name"))
}

// serve starts a server on the engine and returns it with its address.
func serve(engine *rondo.Engine) (*http.Server, string, error) {
	listener, err := engine.ListenNet("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	server := &http.Server{Handler: http.HandlerFunc(hello), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // until server.Close
	return server, listener.Addr().String(), nil
}

// newClient returns a client whose connections are the engine's.
func newClient(engine *rondo.Engine) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: engine.DialContext}, Timeout: 10 * time.Second}
}

// get returns what the server answers.
func get(client *http.Client, url string) (string, error) {
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func main() {
	engine, err := rondo.New(rondo.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	server, address, err := serve(engine)
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := newClient(engine)
	for _, name := range []string{"Donne", "Yeats", "Poe"} {
		answer, err := get(client, "http://"+address+"/?name="+name)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(answer)
	}
}
