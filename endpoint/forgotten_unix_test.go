//go:build unix

package endpoint_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// carrying are what the columns show: they go below a protocol and are none themselves.
const carrying = "secure.Config proxied.Config proxied.Send"

// noProtocols are packages that have none for others, or are what a table of protocols is made with.
var noProtocols = []string{"bench", "cmd", "docs", "endpoint", "examples", "internal", "scripts", "sim", "tools"}

// Every protocol that a user can find is in one of the tables, and the tables name nothing that is not there.
func TestNoneForgotten(t *testing.T) {
	found, err := protocolsIn(os.DirFS(".."))
	if err != nil {
		t.Fatal(err)
	}
	shown := strings.Fields(carrying)
	for _, r := range rows() {
		shown = append(shown, strings.Fields(r.of)...)
	}
	for _, r := range packetRows() {
		shown = append(shown, strings.Fields(r.of)...)
	}
	for _, name := range found {
		if !slices.Contains(shown, name) {
			t.Errorf("%s is a protocol, and is not in the table: give it a row in rows_unix_test.go or packets_unix_test.go", name)
		}
	}
	for _, name := range shown {
		if !slices.Contains(found, name) {
			t.Errorf("the table has %s, which is no protocol any more", name)
		}
	}
}

// What is looked for is found, and nothing else is.
func TestForgottenIsFound(t *testing.T) {
	source := `package p
func Gopher() rondo.Protocol { return nil }
func Finger(n int) func() rondo.Protocol { return nil }
func Snmp() rondo.PacketProtocol { return nil }
func hidden() rondo.Protocol { return nil }
func NewHTTP(ln net.Listener) *Http { return nil }
func Smtp(t *task.Task, ln *rondo.Listener) error { return nil }
func Table(p rondo.Protocol) {}
type Server struct{}
func (*Server) Accept() rondo.Protocol { return nil }
type Client struct{}
func (*Client) ConnectionMade(c *rondo.Conn) {}
func (*Client) DataReceived(c *rondo.Conn, p []byte) int { return 0 }
func (*Client) ConnectionLost(c *rondo.Conn, err error) {}
type quiet struct{}
func (*quiet) Accept() rondo.Protocol { return nil }
type Peers struct{}
func (*Peers) Opened(c *rondo.PacketConn) {}
func (*Peers) PacketReceived(c *rondo.PacketConn, p rondo.Packet) {}
func (*Peers) Closed(c *rondo.PacketConn, err error) {}
`
	root := `package rondo
func Joined() Protocol { return nil }
type Half struct{}
func (Half) ConnectionMade(c *Conn) {}
`
	found, err := protocolsIn(fstest.MapFS{
		"gopher/a.go": {Data: []byte(source)}, "gopher/a_test.go": {Data: []byte(source)}, "internal/x/a.go": {Data: []byte(source)}, "a.go": {Data: []byte(root)},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "gopher.Client gopher.Finger gopher.Gopher gopher.NewHTTP gopher.Peers gopher.Server gopher.Smtp gopher.Snmp rondo.Joined"
	if got := strings.Join(found, " "); got != want {
		t.Errorf("found %s, not %s", got, want)
	}
}

// protocolsIn are the exported functions that make protocols, or serve a listener, the types with methods that do, and the types that are protocols: by package and name, in order.
func protocolsIn(tree fs.FS) (found []string, err error) {
	methods := map[string][]string{} // of a type
	err = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (slices.Contains(noProtocols, name) || strings.HasPrefix(d.Name(), ".") && name != "." || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		pkg := strings.TrimSuffix(path.Dir(name), "/")
		if pkg == "." {
			pkg = "rondo"
		}
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || !fn.Name.IsExported() {
				continue
			}
			who := fn.Name.Name
			if fn.Recv != nil {
				who = receiver(fn.Recv.List[0].Type)
				methods[pkg+"."+who] = append(methods[pkg+"."+who], fn.Name.Name)
			}
			if token.IsExported(who) && makes(fn, pkg) {
				found = append(found, pkg+"."+who)
			}
		}
		return nil
	})
	for name, has := range methods {
		for _, all := range [][]string{{"ConnectionMade", "DataReceived", "ConnectionLost"}, {"Opened", "PacketReceived", "Closed"}} {
			if token.IsExported(name[strings.LastIndex(name, ".")+1:]) && !slices.ContainsFunc(all, func(m string) bool { return !slices.Contains(has, m) }) {
				found = append(found, name)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found), err
}

func receiver(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.Ident:
		return t.Name
	}
	return ""
}

// makes reports whether a function returns a protocol, or what makes them, or serves a listener; an accessor of the engine's own, as Conn.Protocol is one, makes none.
func makes(fn *ast.FuncDecl, pkg string) bool {
	for _, p := range fn.Type.Params.List {
		of := p.Type
		if star, ok := of.(*ast.StarExpr); ok {
			of = star.X
		}
		if is(of, "net", "Listener") || is(of, "rondo", "Listener") {
			return true
		}
	}
	if fn.Type.Results == nil || pkg == "rondo" && fn.Recv != nil {
		return false
	}
	for _, r := range fn.Type.Results.List {
		t := r.Type
		for f, ok := t.(*ast.FuncType); ok && f.Results != nil && len(f.Results.List) == 1; f, ok = t.(*ast.FuncType) {
			t = f.Results.List[0].Type
		}
		for _, name := range []string{"Protocol", "PacketProtocol", "SessionProtocol"} {
			if is(t, "rondo", name) || pkg == "rondo" && is(t, "", name) {
				return true
			}
		}
	}
	return false
}

func is(t ast.Expr, pkg, name string) bool {
	switch t := t.(type) {
	case *ast.Ident:
		return pkg == "" && t.Name == name
	case *ast.SelectorExpr:
		x, ok := t.X.(*ast.Ident)
		return ok && x.Name == pkg && t.Sel.Name == name
	}
	return false
}
