package sim_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/stream"
)

// Names are looked up as names of machines and of services are everywhere.
func TestNames(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		h := w.Host("Server")
		for _, port := range []string{":7", ":5432"} {
			if _, err := h.Engine().Listen("tcp", port, stream.Handle(echoHandler)); err != nil {
				w.Fatalf("%v", err)
			}
		}
		if w.Host("Server") != h {
			w.Errorf("the name is not the host's own")
		}
		for _, address := range []string{"Server:7", "server:7", "SERVER.:7", "server.:echo", "server:ECHO", "server:postgresql", "10.0.0.1:7"} {
			c := connect(w, w.Host("client").Engine(), "tcp", address)
			say(w, c, "hello")
			hear(w, c, "hello")
		}
		for _, address := range []string{"localhost:7", "LocalHost.:7"} {
			c := connect(w, h.Engine(), "tcp", address)
			if ip := c.RemoteAddr().(*net.TCPAddr).IP; !ip.IsLoopback() {
				w.Errorf("%s is %v", address, ip)
			}
		}
		for _, address := range []string{"servers:7", "server..:7", "server:nothing"} {
			if _, err := w.Host("client").Engine().DialContext(background, "tcp", address); err == nil {
				w.Errorf("%s is something", address)
			}
		}
	})
	for _, name := range []string{"localhost", "Localhost.", ""} {
		_, err := sim.Simulate(sim.Config{}, func(w *sim.World) { w.Host(name) })
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q is what every machine calls itself", name)) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
