//go:build !race

package rondo

const raceEnabled = false
