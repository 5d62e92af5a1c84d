package rondo_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/rondo-go/rondo"
)

// evaluate runs fn on the loop of an engine of its own, and waits for the future that it returns.
func evaluate[T any](fn func(l *rondo.Loop) *rondo.Future[T]) (T, error) {
	engine, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		panic(err)
	}
	defer engine.Close()
	futures := make(chan *rondo.Future[T], 1)
	engine.Loop().Post(func() { futures <- fn(engine.Loop()) })
	return (<-futures).Wait(context.Background())
}

// A chain: what each step makes of what came before.
func ExampleThen() {
	n, err := evaluate(func(l *rondo.Loop) *rondo.Future[int] {
		text := rondo.Run(l, func(context.Context) (string, error) { return "forty-two", nil })
		return rondo.Then(text, strconv.Atoi).
			Catch(func(err error) (int, error) {
				fmt.Println("caught:", errors.Is(err, strconv.ErrSyntax))
				return 42, nil
			}).
			Finally(func() { fmt.Println("done") })
	})
	fmt.Println(n, err)
	// Output:
	// caught: true
	// done
	// 42 <nil>
}

// All results, in the order of the futures, whichever comes first.
func ExampleAll() {
	fmt.Println(evaluate(func(l *rondo.Loop) *rondo.Future[[]string] {
		slow, fast := rondo.NewPromise[string](l), rondo.NewPromise[string](l)
		l.After(time.Millisecond, func() { fast.Resolve("fast") })
		l.After(2*time.Millisecond, func() { slow.Resolve("slow") })
		return rondo.All(l, slow.Future(), fast.Future())
	}))
	// Output: [slow fast] <nil>
}

// The first mirror that answers; who is slower is told that it is not wanted any more.
func ExampleFirstSuccess() {
	fmt.Println(evaluate(func(l *rondo.Loop) *rondo.Future[string] {
		broken := rondo.Rejected[string](l, errors.New("no such mirror"))
		near, far := rondo.NewPromise[string](l), rondo.NewPromise[string](l)
		far.OnCancel(func(reason error) {
			fmt.Println("far:", reason)
			far.Reject(reason)
		})
		l.After(time.Millisecond, func() { near.Resolve("from nearby") })
		return rondo.FirstSuccess(l, broken, near.Future(), far.Future())
	}))
	// Output:
	// far: rondo: another future has decided the join
	// from nearby <nil>
}

// A limit of time cancels what takes longer.
func ExampleFuture_Timeout() {
	_, err := evaluate(func(l *rondo.Loop) *rondo.Future[int] {
		work := rondo.Run(l, func(ctx context.Context) (int, error) {
			<-ctx.Done() // it is told, too
			return 0, ctx.Err()
		})
		return work.Timeout(time.Millisecond)
	})
	fmt.Println(err)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output:
	// rondo: not done after 1ms
	// true
}

// The next value of a channel, for code on a loop.
func ExampleFromChan() {
	words := make(chan string, 1)
	words <- "hello"
	fmt.Println(evaluate(func(l *rondo.Loop) *rondo.Future[int] {
		return rondo.Then(rondo.FromChan(l, words), func(s string) (int, error) { return len(s), nil })
	}))
	// Output: 5 <nil>
}

// Cancelling the end of a chain is told to its beginning.
func ExampleFuture_Cancel() {
	_, err := evaluate(func(l *rondo.Loop) *rondo.Future[string] {
		p := rondo.NewPromise[int](l)
		p.OnCancel(func(reason error) {
			fmt.Println("told:", reason)
			p.Reject(reason)
		})
		f := rondo.Then(p.Future(), func(n int) (string, error) { return strconv.Itoa(n), nil })
		f.Cancel(errors.New("the user went away"))
		return f
	})
	fmt.Println(err)
	// Output:
	// told: the user went away
	// the user went away
}
