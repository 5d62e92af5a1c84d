package poetry

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestLongChunks: a piece as long as the poem is copied for no client as a whole.
func TestLongChunks(t *testing.T) {
	poem := []byte(strings.Repeat("a line of poetry\n", 10_000))
	for name, c := range map[string]struct {
		request string
		most    int // bytes of the client's own
	}{
		"HTTP/1.1": {"GET / HTTP/1.1\r\n\r\n", maxChunkBytes + 64},
		"HTTP/1.0": {"GET / HTTP/1.0\r\n\r\n", 0},
		"plain":    {"", 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := DefaultOptions(PoemSource(Poem{}))
			o.NumBytes, o.Delay, o.HTTP = len(poem)-1, time.Second, c.request != ""
			d := newDelivery(poem, &o)
			if !d.request([]byte(c.request)) {
				t.Fatal("the request is not enough")
			}
			all := bytes.Clone(d.begin())
			counted, waited := 0, time.Duration(0)
			for {
				wire, n, wait, ok := d.next()
				if !ok {
					break
				}
				all = append(all, wire...)
				counted += n
				waited += wait
			}
			wire, end := d.finish()
			all = append(all, wire...)
			if counted != len(poem) || waited != 2*time.Second || end != EndClose {
				t.Errorf("%d bytes, %v, %v", counted, waited, end)
			}
			if cap(d.buf) > 2*c.most {
				t.Errorf("the client has a buffer of %d bytes", cap(d.buf))
			}
			if c.request == "" {
				if !bytes.Equal(all, poem) {
					t.Error("it is another poem")
				}
				return
			}
			answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(all)), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if got, err := io.ReadAll(answer.Body); err != nil || !bytes.Equal(got, poem) {
				t.Errorf("%d bytes came, %v", len(got), err)
			}
		})
	}
}
