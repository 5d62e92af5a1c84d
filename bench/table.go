package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// table is printed as Markdown that is legible as it stands: it is for a terminal and for a README.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// String aligns the first column left and the others, which are figures, right.
func (t table) String() string {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 3)
		}
	}
	var b strings.Builder
	line := func(row []string) {
		for i, cell := range row {
			if i == 0 {
				fmt.Fprintf(&b, "| %-*s |", widths[i], cell)
			} else {
				fmt.Fprintf(&b, " %*s |", widths[i], cell)
			}
		}
		b.WriteByte('\n')
	}
	line(t.head)
	rules := make([]string, len(t.head))
	for i, w := range widths {
		rules[i] = strings.Repeat("-", w)
		if i > 0 {
			rules[i] = rules[i][1:] + ":"
		}
	}
	line(rules)
	for _, row := range t.rows {
		line(row)
	}
	return b.String()
}
