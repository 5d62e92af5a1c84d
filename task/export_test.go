package task

import "github.com/rondo-go/rondo"

// MaxSpots is for tests.
const MaxSpots = maxSpots

// Spots is how many free spots loop l keeps. Only on the loop.
func Spots(l *rondo.Loop) int {
	n := 0
	for p := schedulers.On(l).spots; p != nil; p = p.next {
		n++
	}
	return n
}

// Blocking is for tests.
var Blocking = blocking
