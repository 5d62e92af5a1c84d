package main

import (
	"fmt"
	"os"

	"github.com/rondo-go/rondo/poetry"
	"github.com/rondo-go/rondo/task"
)

func Example() {
	os.Args = os.Args[:1]
	main()
	// Output:
	// never seek to tell thy love,
	// love that never told can be;
	// Love That Never Told Can Be;
	// Never Seek To Tell Thy Love,
}

// What was answered before a request that the server refuses is not lost.
func Example_refused() {
	fmt.Println(task.Run(func(t *task.Task) ([]string, error) {
		listener, err := t.Engine().Listen("tcp", "127.0.0.1:0", poetry.TransformServer(nil))
		if err != nil {
			return nil, err
		}
		poems, err := transform(t, listener.Addr().String(), "Love", "shout", "translate")
		fmt.Println(poems)
		return nil, err
	}))
	// Output:
	// [LOVE]
	// [] the server does not know how to translate
}
