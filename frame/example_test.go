package frame_test

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/rondo-go/rondo/frame"
)

// The frames in what has come so far, and what is left for later.
func ExampleFraming() {
	netstrings := frame.Netstrings(1000)
	come := []byte("5:hello,6:world!,7:to be c")
	for {
		word, n, err := netstrings.Next(come, 0)
		if err != nil {
			fmt.Println(err)
			return
		}
		if n > len(come) {
			fmt.Printf("%q waits until there are %d bytes\n", come, n)
			return
		}
		fmt.Printf("%s\n", word)
		come = come[n:]
	}
	// Output:
	// hello
	// world!
	// "7:to be c" waits until there are 10 bytes
}

func ExampleFraming_append() {
	var out []byte
	for _, line := range []string{"MAIL FROM:<ada@example.org>", "two\nlines"} {
		var err error
		if out, err = frame.LinesCRLF(512).Append(out, []byte(line)); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Printf("%q\n", out)
	// Output:
	// frame: byte 3 of a line: a line feed would end it there
	// "MAIL FROM:<ada@example.org>\r\n"
}

// What is too long is found before it is there.
func ExampleLimitError() {
	_, _, err := frame.Netstrings(1000).Next([]byte("1000000000000000000000000000000:"), 0)
	if over, ok := errors.AsType[*frame.LimitError](err); ok {
		fmt.Println(over.Limit)
	}
	fmt.Println(err)
	// Output:
	// 1000
	// frame: a netstring is over the limit of 1000 bytes
}

// Frames of a file, or of anything else that is an io.Reader.
func ExampleSplitFunc() {
	s := bufio.NewScanner(strings.NewReader("5:hello,6:world!,3:b"))
	s.Split(frame.SplitFunc(frame.Netstrings(1000)))
	for s.Scan() {
		fmt.Println(s.Text())
	}
	fmt.Println(s.Err())
	// Output:
	// hello
	// world!
	// unexpected EOF
}
