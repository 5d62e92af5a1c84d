package rondo

import "sync"

// cond is a sync.Cond for goroutines of an engine, which may be simulated.
type cond struct {
	sync.Cond
	engine *Engine
	told   uint64 // counts the calls of signal and broadcast
}

func (c *cond) init(e *Engine, mu *sync.Mutex) { c.engine, c.L = e, mu }

// wait, signal and broadcast are called with the lock held.
func (c *cond) wait() {
	w := c.engine.world
	if !w.TakesTurns() {
		c.Cond.Wait()
		return
	}
	told := c.told
	c.L.Unlock()
	defer c.L.Lock() // also when Block does not return, since the goroutine is killed
	w.Block(func() bool { return c.told != told }, c)
}

func (c *cond) signal() {
	c.told++
	c.Cond.Signal()
	c.engine.world.Wake(c)
}

func (c *cond) broadcast() {
	c.told++
	c.Cond.Broadcast()
	c.engine.world.Wake(c)
}
