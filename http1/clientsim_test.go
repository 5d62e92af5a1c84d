package http1_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/task"
)

// TestClientInWorlds has clients of every kind and a server in simulated worlds: an answer is that of its own request, whole, or there is an error; each comes in time; and where nothing fails nothing does.
func TestClientInWorlds(t *testing.T) {
	rough := sim.Faults{
		Refuse: 0.05, Lose: 0.1, Silent: 0.05, Abort: 0.05, Reset: 0.2, Stall: 0.2, Join: 0.3, Cut: 0.5, Jitter: 20 * time.Millisecond, LookupFail: 0.05,
		Partition: 4 * time.Second, Kill: 5 * time.Second, Pause: 3 * time.Second, Repair: time.Second, Until: 20 * time.Second, Spare: []string{"client"},
	}
	for name, faults := range map[string]sim.Faults{"calm": {Cut: 0.5}, "rough": rough} {
		t.Run(name, func(t *testing.T) {
			sim.Search(t, 20, sim.Config{Faults: faults}, func(w *sim.World) { talk(w, name == "calm") })
		})
	}
}

func talk(w *sim.World, calm bool) {
	w.Host("server").Start(func(h *sim.Host) error {
		echo := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			fmt.Fprintf(rw, "%s %s", r.URL.Path, body)
		})
		s := &http1.Server{Handler: echo, IdleTimeout: 3 * time.Second}
		if w.Rand().IntN(2) == 0 {
			s.Handler = http1.NonBlocking(echo)
		}
		_, err := h.Engine().Listen("tcp", ":80", s.Protocol)
		return err
	})
	h := w.Host("client")
	e := h.Engine()
	const timeout = 30 * time.Second
	tr := &http1.Transport{Engine: e, MaxConnsPerHost: w.Rand().IntN(5), IdleConnTimeout: 2 * time.Second, DialTimeout: 5 * time.Second}
	c := &http1.Client{Transport: tr, Timeout: timeout}
	left := 0
	for i := range 60 {
		body := strings.Repeat("x", w.Rand().IntN(3)*w.Rand().IntN(40_000))
		req, err := http.NewRequest([]string{"GET", "POST"}[w.Rand().IntN(2)], fmt.Sprintf("http://server/%d", i), strings.NewReader(body)) //nolint:usetesting,noctx // not the test's
		if err != nil {
			w.Fatalf("%v", err)
		}
		if w.Rand().IntN(3) == 0 {
			req.Body, req.ContentLength, req.GetBody = io.NopCloser(struct{ io.Reader }{req.Body}), 0, nil
		}
		want := fmt.Sprintf("/%d %s", i, body)
		began := w.Elapsed()
		check := func(got []byte, err error) {
			left--
			switch took := w.Elapsed() - began; {
			case err != nil && calm:
				w.Errorf("request %d: %v", i, err)
			case err == nil && string(got) != want:
				w.Errorf("request %d is answered by %.60q and %d bytes in all", i, got, len(got))
			case took > timeout+time.Second:
				w.Errorf("request %d took %v", i, took)
			}
		}
		left++
		switch w.Rand().IntN(3) {
		case 0:
			c.FetchFunc(e.Loop(), req, func(res *http.Response, err error) { check(all(res, err)) })
		case 1:
			ctx, cancel := w.WithTimeout(req.Context(), timeout)
			h.Go(func() {
				defer cancel()
				check(all(tr.RoundTrip(req.WithContext(ctx))))
			})
		case 2:
			task.Go(e.Loop(), func(t *task.Task) (struct{}, error) {
				check(all(c.FetchTask(t, req)))
				return struct{}{}, nil
			}).Loop()
		}
		w.Sleep(time.Duration(w.Rand().IntN(1000)) * time.Millisecond)
	}
	w.Wait(func() bool { return left == 0 })
	w.Sleep(10 * time.Second)
	if n := e.Conns(); n != 0 {
		w.Errorf("%d connections are left, long after IdleConnTimeout", n)
	}
}

func all(res *http.Response, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server says %s", res.Status)
	}
	return io.ReadAll(res.Body)
}
