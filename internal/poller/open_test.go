package poller_test

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rondo-go/rondo/internal/poller"
)

func TestOpenNames(t *testing.T) {
	names := poller.Names()
	if runtime.GOOS == "linux" && !slices.Equal(names, []string{"epoll", "poll", "select"}) {
		t.Errorf("the backends are %v", names)
	}
	for _, name := range names {
		p, err := poller.Open(name)
		if err != nil {
			t.Errorf("Open(%q): %v", name, err)
			continue
		}
		if p.Name() != name {
			t.Errorf("Open(%q) opened %q", name, p.Name())
		}
		if err := p.Shut(); err != nil {
			t.Errorf("%s: Shut: %v", name, err)
		}
	}
}

func TestOpenProbes(t *testing.T) {
	p, err := poller.Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Shut() }()
	if p.Name() != poller.Names()[0] {
		t.Errorf("probing took %q, and %q comes first", p.Name(), poller.Names()[0])
	}
}

func TestOpenUnknown(t *testing.T) {
	p, err := poller.Open("carrier-pigeon")
	if p != nil || err == nil {
		t.Fatalf("opened %v, %v", p, err)
	}
	want := `unknown poller "carrier-pigeon": on ` + runtime.GOOS + ` use ` + strings.Join(poller.Names(), ", ")
	if err.Error() != want {
		t.Errorf("the error says\n%s, want\n%s", err, want)
	}
}
