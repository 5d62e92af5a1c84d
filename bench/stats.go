package main

import (
	"fmt"
	"slices"
)

// spread sums up what several rounds have found.
type spread struct{ median, min, max float64 }

// spreadOf needs at least one value.
func spreadOf(values []float64) spread {
	return spread{median(values), slices.Min(values), slices.Max(values)}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// ratios divides round by round. The two figures of one round were taken seconds apart, so what slows the whole
// machine for a while slows both, and the ratio holds where neither figure does.
func ratios(of, to []float64) []float64 {
	n := min(len(of), len(to))
	out := make([]float64, n)
	for i := range n {
		out[i] = of[i] / to[i]
	}
	return out
}

// format prints the median and, where the rounds differ in the digits printed, between what it lies.
func (s spread) format(verb string) string {
	text, least, most := fmt.Sprintf(verb, s.median), fmt.Sprintf(verb, s.min), fmt.Sprintf(verb, s.max)
	if least == most {
		return text
	}
	return fmt.Sprintf("%s (%s–%s)", text, least, most)
}
