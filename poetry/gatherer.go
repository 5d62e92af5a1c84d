package poetry

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/rondo-go/rondo"
)

// maxGatheredBytes is how much a gatherer holds for an output that does not keep up.
const maxGatheredBytes = 1 << 20

// A gatherer is an output for loops, which must not wait for a terminal or a pipe that nobody reads: ten thousand
// clients are a hundred thousand lines a second. It writes what has come together in one Write, off the loop, and in
// order. When the output falls behind by too much it leaves whole Writes out, and says so when it catches up. A Shutdown
// of the engine waits for it. Safe from any goroutine.
type gatherer struct {
	engine *rondo.Engine
	out    io.Writer

	mu      sync.Mutex
	held    []byte
	spare   []byte // the other buffer, while held fills
	omitted int    // Writes
	writing bool
}

func (g *gatherer) Write(line []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.omitted > 0 || len(g.held)+len(line) > maxGatheredBytes {
		g.omitted++
		return len(line), nil
	}
	g.held = append(g.held, line...)
	if !g.writing {
		// An engine that has shut down has no more to say.
		g.writing = g.engine.Run(g.write) == nil
	}
	return len(line), nil
}

func (g *gatherer) write(context.Context) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.held) > 0 {
		held := g.held
		g.held, g.spare = g.spare[:0], nil
		g.mu.Unlock()
		// A reader of this output that has gone away is no reason to stop serving.
		_, _ = g.out.Write(held)
		g.mu.Lock()
		g.spare = held
		if g.omitted > 0 {
			g.held = fmt.Appendf(g.held, "(%d lines are missing here: they came faster than they were read.)\n", g.omitted)
			g.omitted = 0
		}
	}
	g.writing = false
}
