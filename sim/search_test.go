package sim_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo/sim"
)

// recorded is a test that fails without failing the test it is in.
type recorded struct {
	testing.TB
	failures []string
}

func (r *recorded) Helper()      {}
func (r *recorded) Name() string { return "TestOfAUser" }
func (r *recorded) Errorf(f string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(f, args...))
}

// sloppy takes it for granted that what was sent comes back.
func sloppy(w *sim.World) {
	w.Host("server").Start(echoServer)
	e := w.Host("client").Engine()
	for range 20 {
		w.Sleep(time.Second)
		c, err := e.DialContext(context.Background(), "tcp", "server:7")
		if err != nil {
			continue
		}
		if _, err := io.WriteString(c, "hello"); err != nil {
			w.Fatalf("writing: %v", err)
		}
		if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
			w.Fatalf("reading: %v", err)
		}
		_ = c.Close()
	}
}

// Search finds a seed, and of its faults the one that does it.
func TestSearchFindsAndShrinks(t *testing.T) {
	r := &recorded{TB: t}
	faults := sim.Faults{Abort: 0.1, Lose: 0.2, ClockStep: 2 * time.Second, LookupSlow: 0.2}
	sim.Search(r, 100, sim.Config{Faults: faults}, sloppy)
	if len(r.failures) != 1 {
		t.Fatalf("%d failures: %v", len(r.failures), r.failures)
	}
	said := r.failures[0]
	t.Log(said)
	if !strings.Contains(said, "these are enough") || !strings.Contains(said, " -run '^TestOfAUser$' -rondo.seed=") {
		t.Errorf("the report: %s", said)
	}
	_, list, _ := strings.Cut(said, "-rondo.faults='")
	list = strings.TrimSuffix(list, "'")
	if strings.Contains(list, ";") {
		t.Errorf("more than one fault is left: %s", list)
	}
}
