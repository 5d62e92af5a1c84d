//go:build race

package rondo

const raceEnabled = true
