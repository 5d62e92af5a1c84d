package poetry

import (
	_ "embed"
	"strings"
)

// A Poem is one of the poems built in. All of them are in the public domain.
type Poem struct {
	Name   string // what a command calls it, such as "donne"
	Title  string
	Author string
	Text   string // the whole poem in UTF-8, title and signature included; len(Text) is its size in bytes
}

var (
	//go:embed poems/donne.txt
	donne string
	//go:embed poems/yeats.txt
	yeats string
	//go:embed poems/poe.txt
	poe string
	//go:embed poems/sowol.txt
	sowol string
)

// Poems returns the poems built in, in a fixed order. The slice is the caller's own. Safe from any goroutine.
func Poems() []Poem {
	return []Poem{
		{"donne", "The Ecstasy", "John Donne", donne},
		{"yeats", "The Fascination of What's Difficult", "William Butler Yeats", yeats},
		{"poe", "Sonnet - To Science", "Edgar Allan Poe", poe},
		// Three bytes to a character: pieces of ten bytes split them, so a client that decodes each piece shows rubbish.
		{"sowol", "진달래꽃 (Azaleas)", "김소월 (Kim Sowol)", sowol},
	}
}

// Lookup returns the built-in poem of that name, and false if there is none. Safe from any goroutine.
func Lookup(name string) (Poem, bool) {
	for _, p := range Poems() {
		if p.Name == name {
			return p, true
		}
	}
	return Poem{}, false
}

func poemNames() string {
	var names []string
	for _, p := range Poems() {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}
