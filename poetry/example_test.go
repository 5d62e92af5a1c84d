package poetry_test

import (
	"context"
	"fmt"
	"net"
	"os"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/poetry"
)

// A server that sends a built-in poem, 300 bytes at a time, and a client that fetches it.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	poem, _ := poetry.Lookup("donne")
	options := poetry.DefaultOptions(poetry.PoemSource(poem))
	options.NumBytes, options.Delay = 300, 0 // slow enough for an example
	server, err := poetry.ListenBlocking(ctx, options)
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = server.Serve(ctx) }()

	address := poetry.Address{Host: "127.0.0.1", Port: server.Addr().(*net.TCPAddr).Port}
	var client poetry.Client
	report := client.FetchBlocking(ctx, []poetry.Address{address})
	for _, task := range report.Tasks {
		fmt.Printf("Task %d: %d bytes of poetry\n", task.Task, task.Bytes)
	}
	fmt.Printf("%.11s\n", report.Tasks[0].Poem)
	// Output:
	// Task 1: 3003 bytes of poetry
	// The Ecstasy
}

// One server for all clients at once, and one client for all poems at once, on the loops of one engine: three times the
// same poem takes as long as once.
func ExampleClient_FetchAsync() {
	engine, err := rondo.New(rondo.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()

	poem, _ := poetry.Lookup("yeats")
	options := poetry.DefaultOptions(poetry.PoemSource(poem))
	options.NumBytes = 300
	server, err := poetry.ListenAsync(engine, options)
	if err != nil {
		fmt.Println(err)
		return
	}

	address := poetry.Address{Host: "127.0.0.1", Port: server.Addr().(*net.TCPAddr).Port}
	var client poetry.Client
	report := client.FetchAsync(context.Background(), engine.Loop(), []poetry.Address{address, address, address})
	fmt.Println(report.Poems(), "poems,", report.Bytes(), "bytes")
	fmt.Println(report.Total() < report.Sum()/2)
	// Output:
	// 3 poems, 1869 bytes
	// true
}

// The host may be left out, and what is wrong with an address is said in one sentence.
func ExampleParseAddress() {
	for _, s := range []string{"10000", "[::1]:10001", "localhost:poetry"} {
		address, err := poetry.ParseAddress(s)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(address)
	}
	// Output:
	// 127.0.0.1:10000
	// [::1]:10001
	// Ports must be integers.
}

// A report that was measured elsewhere, drawn as text.
func ExampleWriteTimelineText() {
	report := &poetry.Report{Mode: poetry.ModeAsync, Tasks: []poetry.Fetch{
		{Task: 1, Address: "a:1", Bytes: 20, End: 4e9, Pieces: []poetry.Piece{{At: 0, Bytes: 10}, {At: 2e9, Bytes: 10}}},
		{Task: 2, Address: "b:2", Bytes: 20, End: 3e9, Pieces: []poetry.Piece{{At: 1e9, Bytes: 10}, {At: 2.5e9, Bytes: 10}}},
	}}
	if err := poetry.WriteTimelineText(os.Stdout, 40, report); err != nil {
		fmt.Println(err)
	}
	// Output:
	// Asynchronous (all at once, one thread of
	// control)
	// 2 poems, 40 bytes in 4.00 s
	//
	// 1 a:1          █░░░░░░░░░░░█░░░░░░░░░░░░
	// 2 b:2          ░░░░░░█░░░░░░░░█░░░
	// the one thread 1░░░░░2░░░░░1░░2░░░░░░░░░
	//                ┬───────────┬───────────┬
	//                0 s         2           4
	// First turns: 1 2 1 2
	// Figure 3: the asynchronous model. The
	// tasks are interleaved in one thread of
	// control, which waits only when no task
	// can go on.
	//
	// █ bytes arrived, ░ waiting, 1 2 3 worked
	// for that task. One column is 160 ms.
}
