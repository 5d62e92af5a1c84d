package poetry

import (
	"errors"
	"testing"

	"github.com/rondo-go/rondo"
)

// TestEngineEnds: whenever it does, the fetch returns, and a part of a poem is not taken for the whole.
func TestEngineEnds(t *testing.T) {
	stall := atOnce("0123456789abcdefghij")
	stall.StallAfter = AfterBytes(10)
	addresses := []Address{serveAsync(t, stall), nobody(t), {Host: "localhost", Port: nobody(t).Port}}
	for i := range 100 {
		e := newEngine(t, 1)
		began, ended := make(chan struct{}), make(chan *Report, 1)
		go func() {
			c := Client{OnEvent: func(ev Event) {
				if i%2 == 0 && ev.Kind == EventPiece {
					close(began)
				}
			}}
			ended <- c.FetchAsync(t.Context(), e.Loop(), addresses)
		}()
		if i%2 == 0 {
			<-began // in the middle of it; otherwise at any time
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		r := <-ended
		if f := r.Tasks[0]; !errors.Is(f.Err, rondo.ErrEngineClosed) {
			t.Errorf("with %d bytes it ends with %v", f.Bytes, f.Err)
		}
		if r.Failed() != 3 {
			t.Errorf("%d tasks failed", r.Failed())
		}
	}
}
