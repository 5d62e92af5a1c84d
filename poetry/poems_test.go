package poetry

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPoemSizes(t *testing.T) {
	for name, want := range map[string]int{"donne": 3003, "yeats": 623, "poe": 653, "sowol": 352} {
		p, ok := Lookup(name)
		if !ok || len(p.Text) != want {
			t.Errorf("%s: %d bytes (found: %v), want %d", name, len(p.Text), ok, want)
		}
	}
	if _, ok := Lookup("vogon"); ok {
		t.Error("found a poem that nobody wants to hear")
	}
}

func TestPoemsAreWhole(t *testing.T) {
	for _, p := range Poems() {
		if p.Name == "" || p.Title == "" || p.Author == "" {
			t.Errorf("%+v lacks a name, a title or an author", p.Name)
		}
		if !utf8.ValidString(p.Text) || !strings.HasSuffix(p.Text, "\n") || strings.ContainsRune(p.Text, '\r') {
			t.Errorf("%s is no plain UTF-8 text that ends in a newline", p.Name)
		}
	}
}

// TestPiecesSplitCharacters keeps the Korean poem good for what it is there for.
func TestPiecesSplitCharacters(t *testing.T) {
	sowol, _ := Lookup("sowol")
	pacer := NewPacer([]byte(sowol.Text), DefaultOptions(PoemSource(sowol)))
	split := 0
	for piece, _, ok := pacer.Next(); ok; piece, _, ok = pacer.Next() {
		if !utf8.Valid(piece) {
			split++
		}
	}
	if split < 10 {
		t.Errorf("only %d pieces end inside a character", split)
	}
}
