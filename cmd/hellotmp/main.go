package main

import (
	"io"
	"net/http"
	"os"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1"
)

func main() {
	h := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, "Hello, World!")
	}))
	switch os.Args[2] {
	case "net":
		panic(http.ListenAndServe(os.Args[1], h))
	case "nb":
		h = http1.NonBlocking(h)
	}
	e, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		panic(err)
	}
	s := &http1.Server{Handler: h}
	if _, err := e.Listen("tcp", os.Args[1], s.Protocol); err != nil {
		panic(err)
	}
	select {}
}
