package sim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo/sim"
)

func TestDiff(t *testing.T) {
	log := func(whole bool, notes ...string) *sim.Log {
		w, err := sim.Simulate(sim.Config{Log: whole}, func(w *sim.World) {
			for _, s := range notes {
				w.Note("%s", s)
				w.Sleep(time.Second)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return w.Log()
	}
	one := strings.Split("abcdefghij", "")
	other := strings.Split("abcdefgXij", "")
	many := strings.Split(strings.Repeat("a", 300), "")
	late := append([]string{"b"}, many[1:]...)
	for _, c := range []struct {
		what string
		a, b *sim.Log
		want string
	}{
		{"the same", log(true, one...), log(true, one...), ""},
		{"the same, in part", log(false, many...), log(false, many...), ""},
		{"one event", log(true, one...), log(true, other...), `
the logs differ from event 8 on, at 7.000000 s, of 10 and 10 events
      2.000000              note       c
      3.000000              note       d
      4.000000              note       e
      5.000000              note       f
      6.000000              note       g
-     7.000000              note       h
-     8.000000              note       i
-     9.000000              note       j
+     7.000000              note       X
+     8.000000              note       i
+     9.000000              note       j
`},
		{"one ends", log(true, one[:2]...), log(true, one[:3]...), `
the logs differ from event 3 on, of 2 and 3 events
      0.000000              note       a
      1.000000              note       b
-            (it ends here)
+     2.000000              note       c
`},
		{"before what is kept", log(false, many...), log(false, late...), `
the logs differ at event 45, the first that is kept of both, or before: Config.Log keeps all
`},
		{"at what is kept first", log(false, many...), log(false, append([]string{"a"}, strings.Split(strings.Repeat("b", 299), "")...)...), `
the logs differ at event 45, the first that is kept of both, or before: Config.Log keeps all
-    44.000000              note       a
-    45.000000              note       a
-    46.000000              note       a
+    44.000000              note       b
+    45.000000              note       b
+    46.000000              note       b
`},
		{"nothing in common is kept", log(false, many...), log(false, one...), `
the logs differ at event 45, the first that is kept of both, or before: Config.Log keeps all
`},
	} {
		if got := sim.Diff(c.a, c.b); got != strings.TrimPrefix(c.want, "\n") {
			t.Errorf("%s:\n%s", c.what, got)
		}
	}
}
