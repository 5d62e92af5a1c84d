// Package tidy holds the rules that this tree keeps, as tests: which package may import which, and what every file
// owes its reader. It has no code to import; run it with
//
//	go test ./internal/tidy
//
// A rule that stands in the way is changed here, in a commit that says why.
package tidy
