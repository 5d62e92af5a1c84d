package main

import (
	"context"
	"fmt"
	"io"
	"os"
)

// comparePollers shows what idle connections cost: nothing with epoll, a look at each one, each turn, with the others.
func (b *bench) comparePollers(ctx context.Context, out io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Nanoseconds of rondo's processor time per %d-byte message on %d busy connections beside idle ones,\n"+
		"by poller, %s of %gs in turn: median (min–max).\n\n", b.size, activeConns, plural(b.rounds, "round"), b.seconds)
	for _, idle := range b.silent {
		if _, err := b.affordable(activeConns + idle); err != nil {
			fmt.Fprintf(out, "Without %d idle connections: %v.\n\n", idle, err)
			continue
		}
		var found []series
		for _, poller := range []string{"epoll", "poll", "select"} {
			if poller != "select" || activeConns+idle <= selectConns {
				found = append(found, series{Server: poller, Label: poller, Conns: activeConns, Idle: idle})
			}
		}
		for round := range b.rounds {
			for i := range found {
				f := &found[i]
				s := subject{name: f.Server, argv: func(addr string) []string {
					return []string{self, "serve", "-poller", f.Server, rondoServer, addr}
				}}
				one, err := b.take(ctx, s, work{conns: activeConns, idle: idle, size: b.size, turn: b.turn()})
				if err != nil {
					return fmt.Errorf("%s with %d idle connections: %w", f.Server, idle, err)
				}
				f.Samples = append(f.Samples, one)
				b.say("%d idle connections, round %d of %d: %s %.0f ns", idle, round+1, b.rounds, f.Server, one.cost())
			}
		}
		b.Pollers = append(b.Pollers, found...)
	}
	fmt.Fprintln(out, pollerTable(b.Pollers))
	fmt.Fprintf(out, "%s: select cannot watch so many.\n", absent)
	if warning := disturbance(b.Pollers); warning != "" {
		fmt.Fprintf(out, "%s\n", warning)
	}
	return nil
}
