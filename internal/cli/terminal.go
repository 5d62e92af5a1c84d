package cli

import (
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// isTerminal says whether w is one, whatever it can do: what is written to it does something to somebody's screen.
func isTerminal(w io.Writer) bool {
	f, isFile := fileOf(w)
	return isFile && term.IsTerminal(int(f.Fd()))
}

// terminal says whether w is a terminal that can move its cursor, and how large it is.
func terminal(w io.Writer) (columns, rows int, ok bool) {
	if !isTerminal(w) || os.Getenv("TERM") == "dumb" {
		return 0, 0, false
	}
	f, _ := fileOf(w)
	columns, rows, err := term.GetSize(int(f.Fd()))
	if err != nil || columns <= 0 || rows <= 0 {
		return 80, 24, true
	}
	return columns, rows, true
}

// colours are what bars and ticks are painted with on a terminal, unless its user wants none (no-color.org).
type colours struct{ off bool }

func (c colours) paint(code, s string) string {
	if c.off || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (c colours) good(s string) string { return c.paint("32", s) }
func (c colours) bad(s string) string  { return c.paint("31", s) }
func (c colours) soft(s string) string { return c.paint("2", s) }

// harmless is text from a stranger made fit for a terminal: what would move its cursor, or worse, is shown as a dot.
func harmless(text []byte) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) {
			return '·'
		}
		return r
	}, strings.ToValidUTF8(string(text), "\uFFFD"))
}
