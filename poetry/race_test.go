//go:build race

package poetry

const raceEnabled = true
