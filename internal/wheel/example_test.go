package wheel_test

import (
	"fmt"
	"time"

	"github.com/rondo-go/rondo/internal/wheel"
)

// alarm is what an event loop makes of a Timer: the wheel's part and the
// callback in one allocation.
type alarm struct {
	timer wheel.Timer[*alarm]
	ring  func()
}

func Example() {
	var w wheel.Wheel[*alarm]
	after := func(d time.Duration, ring func()) *alarm {
		a := &alarm{ring: ring}
		a.timer.Owner = a
		w.Add(&a.timer, int64(d))
		return a
	}

	var timeout *alarm
	after(2*time.Second, func() { fmt.Println("two seconds") })
	after(time.Second, func() {
		fmt.Println("one second")
		w.Remove(&timeout.timer)
	})
	timeout = after(3*time.Second, func() { fmt.Println("not reached") })

	// A real loop would sleep until the time that Next returns, or until there
	// is something to read, and would ask its clock how long that took.
	for {
		now, ok := w.Next()
		if !ok {
			break
		}
		w.Expire(now)
		for t := w.Pop(); t != nil; t = w.Pop() {
			t.Owner.ring()
		}
	}
	// Output:
	// one second
	// two seconds
}
