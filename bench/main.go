// Command bench measures what an echo server built on rondo costs beside others: a bare epoll loop, which is the
// limit, Go's net with a goroutine for each connection, and cloudwego/netpoll. README.md says what is measured, how,
// and how to read it.
//
// It runs itself again as the servers and as the load, so that each is a process of its own on a core of its own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := dispatch(ctx, os.Args[1:])
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.As(err, new(usageError)):
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// dispatch takes the arguments after the program's name.
func dispatch(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "serve":
			return serve(ctx, args[1:])
		case "load":
			return load(args[1:])
		}
	}
	o, err := parseOptions(args, os.Stderr)
	if err != nil {
		return err
	}
	return measure(ctx, o, os.Stdout, os.Stderr)
}

// usageError is the fault of who typed the command.
type usageError struct{ error }
