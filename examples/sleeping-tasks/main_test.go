package main

import "time"

// Timers that are due fire in the order of their times, however busy the machine is.
func Example() {
	second = 5 * time.Millisecond
	main()
	// Output:
	// [Task-A] coroutine will sleep for 10 second(s)…
	// [Task-B] coroutine will sleep for 1 second(s)…
	// [Task-C] coroutine will sleep for 1 second(s)…
	// [Task-B] done!
	// [Task-C] done!
	// [Task-A] done!
	// [Task-A Task-B Task-C]
}
