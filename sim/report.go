package sim

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// stuck says what a program that does not go on waits for.
func (w *World) stuck(what string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "sim: the program %s, at %v of virtual time\n", what, w.Elapsed())
	w.describe(&b)
	return errors.New(strings.TrimRight(b.String(), "\n"))
}

// describe says who waits for what.
func (w *World) describe(b io.Writer) {
	w.describeGoroutines(b)
	for _, h := range w.hosts {
		if h.up == nil {
			fmt.Fprintf(b, "host %s is down\n", h.name)
			continue
		}
		for _, e := range h.up.engines {
			w.describeTasks(b, h, e)
		}
	}
	if last := w.log.tail(20); last != "" {
		fmt.Fprintf(b, "the last events:\n%s", last)
	}
}

// maxDescribed is how many goroutines that differ are described.
const maxDescribed = 20

// describeGoroutines says where those wait that do, and since when. Those that wait in the same place are counted.
func (w *World) describeGoroutines(b io.Writer) {
	var waiting []*routine
	for r := range w.all {
		if r.until != nil {
			waiting = append(waiting, r)
		}
	}
	slices.SortFunc(waiting, func(a, b *routine) int { return cmp.Compare(a.id, b.id) })
	type group struct {
		what, where string
		since       int64
		n           int
	}
	var groups []*group
	found := map[[2]string]*group{}
	places := placesOf(waiting)
	for _, r := range waiting {
		key := [2]string{r.what, places[r.goroutine]}
		g := found[key]
		if g == nil {
			g = &group{what: key[0], where: key[1], since: r.since}
			found[key] = g
			groups = append(groups, g)
		}
		g.since = min(g.since, r.since)
		g.n++
	}
	left := 0
	for i, g := range groups {
		switch since := time.Duration(g.since - 1); {
		case i >= maxDescribed:
			left += g.n
		case g.n == 1:
			fmt.Fprintf(b, "%s has waited since %v%s\n", g.what, since, g.where)
		default:
			fmt.Fprintf(b, "%s and %d more like it have waited since %v or later%s\n", g.what, g.n-1, since, g.where)
		}
	}
	if left > 0 {
		fmt.Fprintf(b, "%d more goroutines wait\n", left)
	}
}

// placesOf says where the goroutines of routines are, by their numbers.
func placesOf(rs []*routine) map[uint64]string {
	places := make(map[uint64]string, len(rs))
	for _, r := range rs {
		places[r.goroutine] = ""
	}
	if len(rs) == 0 {
		return places
	}
	for stack := range bytes.SplitSeq(allStacks(64<<20), []byte("\n\n")) {
		head, _, _ := bytes.Cut(bytes.TrimPrefix(stack, []byte("goroutine ")), []byte(" "))
		id, err := strconv.ParseUint(string(head), 10, 64)
		if _, wanted := places[id]; wanted && err == nil {
			places[id] = placeOf(string(stack))
		}
	}
	return places
}

// maxFrames is how many functions of the program are named.
const maxFrames = 4

// placeOf says where a goroutine is, from its stack as the runtime prints it: in which function of this module's that waits, and which of the
// program's have called that. Those of the standard library and of what is below the program are left out.
func placeOf(stack string) string {
	lines := strings.Split(stack, "\n")[1:]
	std := "" // where the standard library is
	for i := 1; i < len(lines); i += 2 {
		if file := fileOf(lines[i]); strings.HasPrefix(lines[i-1], "iter.") {
			std = strings.TrimSuffix(file, "iter/iter.go")
		}
	}
	in := ""
	var callers []string
	for i := 1; i < len(lines); i += 2 {
		name, file := lines[i-1], lines[i]
		if strings.HasPrefix(name, "created by ") {
			break
		}
		name = name[:max(0, strings.LastIndexByte(name, '('))]
		switch pkg := packageOf(name); {
		case std != "" && strings.HasPrefix(fileOf(file), std):
		case pkg == ownModule || slices.Contains(ownPackages, strings.TrimPrefix(pkg, ownModule+"/")):
			if len(callers) == 0 && exported(name) {
				in = closures.ReplaceAllString(name, "") // the last, which the program has called
			}
		default:
			callers = append(callers, fmt.Sprintf("%s (%s)", shortName(name), path.Base(fileLine(file))))
		}
	}
	if len(callers) > maxFrames {
		callers = append(callers[:maxFrames], "...")
	}
	switch all := strings.Join(callers, ", "); {
	case in == "" && all == "":
		return ""
	case in == "":
		return " in " + all
	case all == "":
		return " in " + shortName(in)
	default:
		return " in " + shortName(in) + ", called by " + all
	}
}

var (
	ownModule   = path.Dir(reflect.TypeFor[World]().PkgPath())
	ownPackages = []string{"sim", "task", "queue", "stream"}
	closures    = regexp.MustCompile(`(\.func\d+|\.\d+|-range\d+)+$`)
	receivers   = strings.NewReplacer("(*", "", ")", "", "[...]", "")
	interfaces  = strings.NewReplacer("rondo.netConn.", "net.Conn.", "rondo.netListener.", "net.Listener.")
)

// fileLine is the file and the line of a frame's second line, "	/dir/file.go:31 +0x1d", and fileOf the file alone.
func fileLine(line string) string {
	line, _, _ = strings.Cut(strings.TrimSpace(line), " ")
	return line
}

func fileOf(line string) string {
	line = fileLine(line)
	return line[:max(0, strings.LastIndexByte(line, ':'))]
}

// packageOf is the path of the package that a function is in.
func packageOf(name string) string {
	dir := strings.LastIndexByte(name, '/') + 1
	pkg, _, _ := strings.Cut(name[dir:], ".")
	return name[:dir] + pkg
}

// exported reports whether a function, or the one that it is a part of, is.
func exported(name string) bool {
	name = closures.ReplaceAllString(name, "")
	name = strings.TrimSuffix(name, "[...]")
	name = name[strings.LastIndexByte(name, '.')+1:]
	return name != "" && name[0] >= 'A' && name[0] <= 'Z'
}

// shortName is a function's name as one would call it.
func shortName(name string) string {
	return interfaces.Replace(receivers.Replace(name[strings.LastIndexByte(name, '/')+1:]))
}

// describeTasks lists an engine's tasks. The world goes on for that, at this instant.
func (w *World) describeTasks(b io.Writer, h *Host, e *rondo.Engine) {
	var tasks []task.Info
	err := errors.New("its loops do not answer")
	listed := false
	w.spawn(h.up, "the list of tasks", func() {
		tasks, err = task.List(e.Loop()).Wait(context.Background())
		listed = true
	})
	for i := 0; i < 10_000 && !listed && (len(w.ready) > 0 || w.unblock()); i++ {
		if len(w.ready) > 0 {
			r := w.ready[len(w.ready)-1]
			w.ready = w.ready[:len(w.ready)-1]
			w.resume(r)
		}
	}
	switch {
	case err != nil && !errors.Is(err, rondo.ErrEngineClosed):
		fmt.Fprintf(b, "the tasks of host %s: %v\n", h.name, err)
	case len(tasks) > 0:
		fmt.Fprintf(b, "the tasks of host %s:\n", h.name)
		_ = task.WriteTree(b, tasks, e.Loop().Now())
	}
}
