package main

import "time"

func Example() {
	second = 5 * time.Millisecond
	main()
	// Unordered output:
	// [Task-A] coroutine will sleep for 10 second(s)…
	// [Task-B] coroutine will sleep for 1 second(s)…
	// [Task-C] coroutine will sleep for 1 second(s)…
	// [Task-B] done!
	// [Task-C] done!
	// [Task-A] done!
	// [Task-A Task-B Task-C]
}
