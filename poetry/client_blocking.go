package poetry

import "context"

// FetchBlocking fetches the poems one after the other: the next server is not even dialed before the last poem is
// complete, so the time is the sum of the tasks. It returns when all have ended; which of them failed, and why, is in
// the report. When ctx ends, the task under way and those after it fail with [ErrCancelled].
func (c *Client) FetchBlocking(ctx context.Context, addresses []Address) *Report {
	r := c.NewRecorder(ModeBlocking, addresses)
	for i, address := range addresses {
		c.fetch(ctx, r, i+1, address)
	}
	return r.Report()
}
