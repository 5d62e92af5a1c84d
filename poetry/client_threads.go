package poetry

import (
	"context"
	"sync"
)

// FetchThreads fetches the poems all at once, with a goroutine that blocks for each, so the time is that of the longest
// task. It returns when all have ended; which of them failed, and why, is in the report. When ctx ends, those under way
// fail with [ErrCancelled]. OnEvent is called from these goroutines, one at a time.
func (c *Client) FetchThreads(ctx context.Context, addresses []Address) *Report {
	r := c.NewRecorder(ModeThreads, addresses)
	var wg sync.WaitGroup
	for i, address := range addresses {
		wg.Go(func() { c.fetch(ctx, r, i+1, address) })
	}
	wg.Wait()
	return r.Report()
}
