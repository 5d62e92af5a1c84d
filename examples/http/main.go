// Http is a program of net/http, with a router and middleware that know nothing of rondo, which has been moved to it by one line.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/rondo-go/rondo/http1"
)

// routes are the program: nothing here is rondo's.
func routes() http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.Recoverer)
	r.Get("/hello/{name}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hello, %s!\n", chi.URLParam(r, "name"))
	})
	r.Post("/sum", func(w http.ResponseWriter, r *http.Request) {
		var numbers []int
		if err := json.NewDecoder(r.Body).Decode(&numbers); err != nil {
			http.Error(w, "The body must be a list of numbers: "+err.Error(), http.StatusBadRequest)
			return
		}
		sum := 0
		for _, n := range numbers {
			sum += n
		}
		fmt.Fprintln(w, sum)
	})
	r.Get("/ticks", func(w http.ResponseWriter, r *http.Request) { // server-sent events
		w.Header().Set("Content-Type", "text/event-stream")
		flusher := http.NewResponseController(w)
		tick := time.NewTicker(10 * time.Millisecond) //nolint:forbidigo // nothing here is rondo's
		defer tick.Stop()
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			if flusher.Flush() != nil {
				return
			}
			select {
			case <-tick.C:
			case <-r.Context().Done(): // the client has left
				return
			}
		}
	})
	return r
}

func main() {
	log.Fatal(http1.ListenAndServe("127.0.0.1:8080", routes())) // was: http.ListenAndServe
}
