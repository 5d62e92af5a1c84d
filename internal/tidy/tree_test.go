package tidy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/rondo-go/rondo"

// A tree is what the rules look at. Tests of the rules make theirs from a few files in memory.
type tree struct {
	fsys     fs.FS
	fset     *token.FileSet
	goFiles  []*goFile
	markdown []string // paths
}

type goFile struct {
	path string // from the root of the tree, with slashes
	dir  string // of path; "." for the root
	test bool
	ast  *ast.File
	text string
}

// load reads every Go and Markdown file. Build constraints are not looked at: a rule holds for all systems at once,
// which is why this is go/parser and not the go command.
func load(fsys fs.FS) (*tree, error) {
	t := &tree{fsys: fsys, fset: token.NewFileSet()}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		if d.IsDir() {
			if name != "." && (strings.HasPrefix(base, ".") || base == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		switch path.Ext(name) {
		case ".md":
			t.markdown = append(t.markdown, name)
		case ".go":
			return t.add(name)
		}
		return nil
	})
	return t, err
}

func (t *tree) add(name string) error {
	text, err := fs.ReadFile(t.fsys, name)
	if err != nil {
		return err
	}
	parsed, err := parser.ParseFile(t.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	if ast.IsGenerated(parsed) {
		return nil // its generator keeps the rules, or not
	}
	t.goFiles = append(t.goFiles, &goFile{
		path: name,
		dir:  path.Dir(name),
		test: strings.HasSuffix(name, "_test.go"),
		ast:  parsed,
		text: string(text),
	})
	return nil
}

// at says where a finding is, as compilers do.
func (t *tree) at(pos token.Pos) string {
	p := t.fset.Position(pos)
	return p.Filename + ":" + strconv.Itoa(p.Line)
}

// packages are the files of each directory, in order.
func (t *tree) packages() map[string][]*goFile {
	byDir := map[string][]*goFile{}
	for _, f := range t.goFiles {
		byDir[f.dir] = append(byDir[f.dir], f)
	}
	return byDir
}

// imports calls f with each import path and its position.
func (g *goFile) imports(f func(imported string, pos token.Pos)) {
	for _, spec := range g.ast.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			f(p, spec.Pos())
		}
	}
}

// calls calls f for each call of the form x.name(...) with x a plain identifier.
func (g *goFile) calls(f func(x, name string, call *ast.CallExpr)) {
	ast.Inspect(g.ast, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok {
					f(x.Name, sel.Sel.Name, call)
				}
			}
		}
		return true
	})
}

// here is this repository.
var here = sync.OnceValues(func() (*tree, error) { return load(os.DirFS("../..")) })

func repository(t *testing.T) *tree {
	t.Helper()
	tree, err := here()
	if err != nil {
		t.Fatalf("reading the repository: %v", err)
	}
	return tree
}
