package poetry_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo/poetry"
	"github.com/rondo-go/rondo/sim"
)

func TestTransforms(t *testing.T) {
	poem := "Go, and Catch\nA falling Star\n"
	for name, want := range map[string]string{
		"cummingsify": "go, and catch\na falling star\n",
		"shout":       "GO, AND CATCH\nA FALLING STAR\n",
		"backwards":   "A falling Star\nGo, and Catch\n",
		"rot13":       "Tb, naq Pngpu\nN snyyvat Fgne\n",
		"whisper":     ".., ... .....\n. ....... ....\n",
	} {
		if got, err := poetry.Answer(name + "." + poem); got != want || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if n := len(poetry.Transforms()); n != 5 {
		t.Errorf("%d transforms, and 5 are tested", n)
	}
	for _, request := range []string{"", "cummingsify", "nothing.poem", strings.Repeat("x", 200) + ".poem"} {
		if got, err := poetry.Answer(request); err == nil {
			t.Errorf("%q is answered by %q", request, got)
		}
	}
	if got, err := poetry.Answer("backwards.no end\nof line"); got != "of line\nno end\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// transforming is a world with a server, and what it has refused.
func transforming(t *testing.T, talk func(w *sim.World, c net.Conn)) (refused []error) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		if _, err := w.Host("server").Engine().Listen("tcp", ":10001", poetry.TransformServer(func(_ net.Addr, err error) { refused = append(refused, err) })); err != nil {
			w.Fatalf("listening: %v", err)
		}
		c, err := w.Host("client").Engine().DialContext(t.Context(), "tcp", "server:10001")
		if err != nil {
			w.Fatalf("dialing: %v", err)
		}
		talk(w, c)
		_ = c.Close()
		w.Sleep(time.Second)
	})
	return refused
}

func netstring(s string) string { return fmt.Sprintf("%d:%s,", len(s), s) }

// Requests on one connection are answered in their order, in whatever pieces they come; poems may hold anything, and be large.
func TestTransformServer(t *testing.T) {
	large := strings.Repeat("A Line, with 12:netstring, in it.\n", 29_000)
	refused := transforming(t, func(w *sim.World, c net.Conn) {
		w.Host("client").Go(func() {
			for _, piece := range []string{netstring("shout.one")[:3], netstring("shout.one")[3:] + netstring("cummingsify.TWO") + netstring("shout."), netstring("cummingsify." + large)} {
				_, _ = c.Write([]byte(piece))
				w.Sleep(time.Second)
			}
			_ = c.(interface{ CloseWrite() error }).CloseWrite()
		})
		got, err := io.ReadAll(c)
		want := netstring("ONE") + netstring("two") + netstring("") + netstring(strings.ToLower(large))
		if string(got) != want || err != nil {
			w.Errorf("%d bytes of %d, %v", len(got), len(want), err)
		}
	})
	if len(refused) > 0 {
		t.Error(refused)
	}
}

// What cannot be answered ends the connection, after the answers before it, and says why.
func TestTransformServerRefuses(t *testing.T) {
	for request, why := range map[string]string{
		netstring("nothing.poem"): `no transform "nothing"`,
		netstring("no dot"):       "no dot",
		"poem":                    "netstring",
		"999999999999999999999:":  "netstring",
		"1000102:":                "1000101",
		"3:abcd":                  "netstring",
		"5:ab":                    "cut off",
		"12":                      "cut off",
		"9:shout.one":             "cut off", // but for the comma
	} {
		refused := transforming(t, func(w *sim.World, c net.Conn) {
			_, _ = c.Write([]byte(netstring("shout.before") + request))
			_ = c.(interface{ CloseWrite() error }).CloseWrite()
			if got, _ := io.ReadAll(c); string(got) != netstring("BEFORE") {
				w.Errorf("%q: %q came", request, got)
			}
		})
		if len(refused) != 1 || !strings.Contains(refused[0].Error(), why) {
			t.Errorf("%q was refused for %v", request, refused)
		}
	}
}
