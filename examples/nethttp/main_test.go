package main

func Example() {
	main()
	// Output:
	// Hello, Donne!
	// Hello, Yeats!
	// Hello, Poe!
}
