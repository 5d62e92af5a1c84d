package tidy

import (
	"fmt"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// A layer says what a package, with the packages in folders below it, may import besides the standard library.
type layer struct {
	pkg string // from the root of the module; "rondo" is the root itself
	// may names packages of this module, and import paths outside of it with all that is below them. Two words stand
	// for many: "public" is every package that a user can import, "all" whatever there is.
	may string
	// strict holds the tests to may as well. Other tests may also import every public package, and any module.
	strict bool
	why    string
}

// layers is the import graph, lowest first. What a line does not allow is forbidden; a package that is not here cannot
// be imported, nor import. Lines for packages that do not exist yet do no harm.
var layers = []layer{
	{"internal/wheel", "", true, "timers are arithmetic; they know nothing of rondo"},
	{"internal/sock", "golang.org/x/sys", true, "system calls know nothing of rondo"},
	{"internal/descriptors", "", true, "what an error means does not depend on who met it"},
	{"internal/pemfile", "", true, "a file is a file, whatever its certificates are for"},
	{
		"internal/poller", "internal/sock internal/wheel golang.org/x/sys", true,
		"a backend is replaced by a simulated one, so it must know nothing of rondo",
	},
	{"internal/world", "internal/poller", true, "it is replaced by a simulated one, likewise"},
	{"internal/goid", "", true, "it knows the runtime, and nothing else"},

	{"frame", "", true, "parsers do no I/O, so that they can be fuzzed without a socket"},
	{"resp", "", true, "parsers do no I/O, so that they can be fuzzed without a socket"},
	{"trace", "", true, "rondo reports to it through a hook, so neither needs the other"},

	{
		"rondo", "internal/poller internal/sock internal/wheel internal/world internal/goid", false,
		"the engine is what a program imports first; everything else is over it",
	},
	{"task", "rondo internal/goid", false, "if coroutines need more than the public API, mend the API"},
	{"queue", "rondo task", false, "if queues need more than the public API, mend the API"},
	{"framed", "rondo frame", false, "it joins what frame finds to what a connection hears, so that neither needs the other"},
	{"stream", "rondo task frame", false, "if streams need more than the public API, mend the API"},

	{"secure", "rondo internal/pemfile", false, "a layer does not know the protocols above it, http1 least of all"},
	{"proxyproto", "", true, "parsers do no I/O, so that they can be fuzzed without a socket"},
	{"proxied", "rondo proxyproto", false, "it is below TLS and knows nothing of it"},
	{"activation", "", false, "what a service manager passes are files, whoever serves them"},
	{"endpoint", "rondo secure proxied proxyproto activation internal/pemfile", false, "it joins what carries a protocol, and knows no protocol"},
	{"inetd", "rondo", false, "a protocol does not know whether it is encrypted"},
	{"knock", "rondo frame framed", false, "likewise"},
	{"http1/wire", "", true, "parsers do no I/O, so that they can be fuzzed without a socket"},
	{"http1", "rondo task http1/wire", false, "a protocol does not know whether it is encrypted, so not secure either"},
	{"httpd", "rondo http1 secure golang.org/x/net/http2", false, "it joins the two that do not know each other"},
	{"websocket", "rondo http1", false, "it begins as HTTP and knows nothing else"},

	{"jobs", "rondo task queue resp", false, "one worker code over every store"},
	{"broker", "rondo task queue resp", false, "jobs speaks to the broker in RESP, as to Redis, and not in Go"},
	{"process", "rondo task", false, "what runs in the child processes is the program's business"},
	{"inspect", "rondo task trace http1 websocket", false, "it looks at the engine, not at what is built on it"},
	{
		"sim", "rondo task stream internal/poller internal/sock internal/world internal/goid", false,
		"it is a world for the engine; tasks it lists, and streams it checks; it knows no protocol",
	},
	{"poetry", "rondo task stream secure frame framed internal/descriptors", false, "the first program that a newcomer reads shows the same client blocking, with callbacks and as a task"},

	{"internal/rig", "rondo", false, "the tests of every package over rondo share it, so it knows none of those"},
	{"internal/simtest", "rondo", false, "it has tests alone, of everything that a simulation can run"},
	{"internal/cli", "all", false, "over everything but cmd and sim"},
	{"cmd", "all", false, "nothing is over it"},
	{"examples/http", "public github.com/go-chi/chi", false, "it shows that a router of somebody else's works"},
	{"examples", "public", false, "an example shows what a user can do"},
	{"internal/tidy", "", true, "rules that import what they judge cannot judge it when it does not compile"},
}

// onlyTests are packages for tests, public or not, that no program of this repository may depend on.
var onlyTests = []string{"sim", "internal/rig"}

// otherModules are folders with a go.mod of their own.
var otherModules = []string{"bench", "tools"}

// find gives the layer of a package, as named in layers.
func find(pkg string) (layer, bool) {
	i := slices.IndexFunc(layers, func(l layer) bool { return within(pkg, l.pkg) })
	if i < 0 {
		return layer{}, false
	}
	return layers[i], true
}

// within reports whether pkg is tree or below it.
func within(pkg, tree string) bool { return pkg == tree || strings.HasPrefix(pkg, tree+"/") }

func public(pkg string) bool {
	return !within(pkg, "internal") && !strings.Contains(pkg, "/internal") && !within(pkg, "cmd") && !within(pkg, "examples")
}

// allows reports whether a file of l may import the package, named as in layers, or a path outside of the module.
func (l layer) allows(imported string, inModule, inTest bool) bool {
	switch {
	case inModule && within(imported, l.pkg):
		return true
	case inModule && within(imported, "cmd"):
		return false
	case inModule && slices.Contains(onlyTests, imported):
		return inTest && !l.strict
	case inTest && !l.strict && (!inModule || public(imported)):
		return true
	}
	return slices.ContainsFunc(strings.Fields(l.may), func(word string) bool {
		return word == "all" || word == "public" && inModule && public(imported) || within(imported, word)
	})
}

// badImports are the arrows that point the wrong way.
func badImports(t *tree) (bad []string) {
	for _, f := range t.goFiles {
		if slices.ContainsFunc(otherModules, func(m string) bool { return within(f.dir, m) }) {
			continue
		}
		name := f.dir
		if name == "." {
			name = "rondo"
		}
		from, ok := find(name)
		if !ok {
			bad = append(bad, fmt.Sprintf("%s: package %s is not in the import graph: add it to layers in imports_test.go", f.path, name))
			continue
		}
		f.imports(func(imported string, pos token.Pos) {
			inModule := within(imported, module)
			if !inModule && !strings.Contains(strings.Split(imported, "/")[0], ".") {
				return // the standard library
			}
			if inModule {
				imported = strings.TrimPrefix(strings.TrimPrefix(imported, module), "/")
				if imported == "" {
					imported = "rondo"
				}
			}
			if !from.allows(imported, inModule, f.test) {
				may := strings.Join(strings.Fields("std "+from.may), ", ")
				bad = append(bad, fmt.Sprintf("%s: %s imports %s, may import %s: %s", t.at(pos), name, imported, may, from.why))
			}
		})
	}
	return bad
}

func TestImports(t *testing.T) {
	for _, bad := range badImports(repository(t)) {
		t.Error(bad)
	}
}

// Each arrow that the design forbids is found, and what it allows is not.
func TestImportsCatches(t *testing.T) {
	tests := []struct {
		file, imports string
		ok            bool
	}{
		{"internal/poller/x.go", module, false},
		{"internal/poller/x_test.go", module, false},
		{"internal/poller/x.go", module + "/internal/sock", true},
		{"internal/sock/x.go", "golang.org/x/sys/unix", true},
		{"internal/wheel/x.go", module, false},
		{"internal/wheel/x.go", "math/bits", true},
		{"x.go", module + "/internal/wheel", true},
		{"x.go", module + "/task", false},
		{"x.go", module + "/trace", false},
		{"x.go", "golang.org/x/sys/unix", false},
		{"x_test.go", module + "/frame", true},
		{"x_test.go", "golang.org/x/net/nettest", true},
		{"task/x.go", module, true},
		{"task/x.go", module + "/internal/poller", false},
		{"task/x.go", module + "/queue", false},
		{"queue/x.go", module + "/task", true},
		{"frame/x.go", module, false},
		{"framed/x.go", module + "/frame", true},
		{"framed/x.go", module + "/stream", false},
		{"frame/x.go", module + "/framed", false},
		{"frame/x.go", "golang.org/x/text/width", false},
		{"resp/x.go", module + "/frame", false},
		{"secure/x.go", module + "/http1", false},
		{"http1/x.go", module + "/secure", false},
		{"http1/x_test.go", module + "/secure", true},
		{"http1/x.go", module + "/http1/wire", true},
		{"http1/wire/x.go", module + "/http1", false},
		{"http1/wire/x.go", module, false},
		{"websocket/x.go", module + "/http1", true},
		{"jobs/redis/x.go", module + "/resp", true},
		{"jobs/redis/x.go", module + "/jobs", true},
		{"jobs/x.go", module + "/broker", false},
		{"trace/x.go", module, false},
		{"task/x.go", module + "/sim", false},
		{"task/x_test.go", module + "/sim", true},
		{"frame/x_test.go", module + "/sim", false},
		{"internal/cli/x.go", module + "/sim", false},
		{"x.go", module + "/internal/rig", false},
		{"x_test.go", module + "/internal/rig", true},
		{"queue/x_test.go", module + "/internal/rig", true},
		{"internal/cli/x.go", module + "/internal/rig", false},
		{"internal/poller/x_test.go", module + "/internal/rig", false},
		{"internal/rig/x.go", module, true},
		{"internal/rig/x.go", module + "/task", false},
		{"internal/cli/x.go", module + "/jobs", true},
		{"internal/cli/x.go", "github.com/spf13/cobra", true},
		{"internal/cli/x.go", module + "/cmd/rondo", false},
		{"cmd/rondo/main.go", module + "/internal/cli", true},
		{"poetry/x.go", module, true},
		{"poetry/x.go", module + "/stream", true},
		{"poetry/x.go", module + "/queue", false},
		{"poetry/x.go", "github.com/spf13/cobra", false},
		{"examples/echo/main.go", module + "/websocket", true},
		{"examples/echo/main.go", module + "/internal/sock", false},
		{"examples/echo/x_test.go", module + "/internal/sock", false},
		{"examples/echo/x_test.go", module + "/sim", true},
		{"bench/x.go", "github.com/some/rival", true},
		{"somewhere/x.go", "fmt", false},
	}
	for _, test := range tests {
		source := fmt.Sprintf("package p\n\nimport _ %q\n", test.imports)
		tree, err := load(fstest.MapFS{test.file: {Data: []byte(source)}})
		if err != nil {
			t.Fatal(err)
		}
		if bad := badImports(tree); (len(bad) == 0) != test.ok {
			t.Errorf("%s imports %s: allowed = %v, want %v %q", test.file, test.imports, len(bad) == 0, test.ok, bad)
		}
	}
}

// A line for a package that another line covers already would never be read, and a misspelled one allows nothing.
func TestLayersAreSound(t *testing.T) {
	for i, l := range layers {
		if found, _ := find(l.pkg); found.pkg != l.pkg || l.pkg != path.Clean(l.pkg) || l.why == "" {
			t.Errorf("layers[%d], %s: hidden by %s, or without a reason", i, l.pkg, found.pkg)
		}
		for word := range strings.FieldsSeq(l.may) {
			_, known := find(word)
			if !known && word != "all" && word != "public" && !strings.Contains(word, ".") {
				t.Errorf("layers[%d], %s: may import %s, which no line describes", i, l.pkg, word)
			}
		}
	}
}
