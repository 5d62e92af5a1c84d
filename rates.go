package rondo

// rates are what an isLimited connection obeys.
type rates struct{ read, write rate }

// rate is that of one direction: the connection's own, and one that it shares. A nil Limiter is no limit.
type rate struct {
	own, shared     *Limiter
	inOwn, inShared place // their lines
	waits           bool  // to write: then the connection is blocked, and not by its peer. Reading has the flag readWaits.
}

// SetReadRate limits how many bytes a second are received, and how many at once after a silence: see [NewLimiter] for what a burst of zero is. While the rate has no
// more, the connection is not read, and TCP has the peer wait. What is counted are the bytes of the network, below a layer, those of a splice too. perSecond of zero or less
// means no limit. When the engine shuts down, what has arrived is read without limit.
func (c *Conn) SetReadRate(perSecond, burst int) {
	c.own("Conn.SetReadRate", "Handle.Do")
	c.setRate(func(r *rates) { r.read.set(perSecond, burst) })
}

// SetWriteRate limits how many bytes a second are given to the kernel, in the way of SetReadRate. The others are kept: they count for the water marks, and Close waits until
// they are sent.
func (c *Conn) SetWriteRate(perSecond, burst int) {
	c.own("Conn.SetWriteRate", "Handle.Do")
	c.setRate(func(r *rates) { r.write.set(perSecond, burst) })
}

// SetReadLimiter has the connection receive no more than it gets from l, which others share, as well as what SetReadRate says. Nil is none.
func (c *Conn) SetReadLimiter(l *Limiter) {
	c.own("Conn.SetReadLimiter", "Handle.Do")
	c.setRate(func(r *rates) { r.read.share(l) })
}

// SetWriteLimiter has the connection send no more than it gets from l, which others share, as well as what SetWriteRate says. Nil is none.
func (c *Conn) SetWriteLimiter(l *Limiter) {
	c.own("Conn.SetWriteLimiter", "Handle.Do")
	c.setRate(func(r *rates) { r.write.share(l) })
}

// setRate changes the connection's rates, and tries anew what waits for one.
func (c *Conn) setRate(change func(r *rates)) {
	if c.flags&isEnded != 0 {
		return
	}
	x := c.setRare()
	r := x.rates
	if r == nil {
		r = new(rates)
		r.read.begin(c.loop, c.readAgain)
		r.write.begin(c.loop, c.writeAgain)
		x.rates = r
	}
	change(r)
	c.flags &^= isLimited
	if r.read.limited() || r.write.limited() {
		c.flags |= isLimited
	}
	if c.flags&readWaits != 0 {
		c.flags &^= readWaits
		r.read.leave()
		c.again(0) // what a splice or a layer has; the poller says the rest again
		c.watch()
	}
	if r.write.waits {
		r.write.waits = false
		r.write.leave()
		c.flags &^= blocked
		c.again(0)
	}
}

func (r *rate) begin(l *Loop, retry func()) {
	r.inOwn.loop, r.inOwn.retry = l, retry
	r.inShared.loop, r.inShared.retry = l, retry
}

func (r *rate) set(perSecond, burst int) {
	switch {
	case perSecond <= 0:
		r.inOwn.leave()
		r.own = nil
	case r.own == nil:
		r.own = NewLimiter(perSecond, burst)
	default:
		r.own.Set(perSecond, burst)
	}
}

func (r *rate) share(l *Limiter) {
	r.inShared.leave()
	r.shared = l
}

func (r *rate) limited() bool { return r.own != nil || r.shared != nil }

// take returns how many of n bytes may pass now. If that is none, retry will be called.
func (r *rate) take(n int) int {
	if r.own != nil {
		if n = r.own.take(&r.inOwn, n); n == 0 {
			r.inShared.leave() // others can have it meanwhile
			return 0
		}
	}
	if r.shared != nil {
		got := r.shared.take(&r.inShared, n)
		if r.own != nil {
			r.own.give(&r.inOwn, n-got)
		}
		n = got
	}
	return n
}

// give returns what was taken and has not passed; less than zero takes what has passed already.
func (r *rate) give(n int) {
	if r.own != nil {
		r.own.give(&r.inOwn, n)
	}
	if r.shared != nil {
		r.shared.give(&r.inShared, n)
	}
}

func (r *rate) leave() {
	r.inOwn.leave()
	r.inShared.leave()
}

// mayRead is how many of n bytes may be read now; after it comes didRead. If that is none, the connection is not read until there are some.
func (c *Conn) mayRead(n int) int {
	if c.flags&isDraining != 0 {
		return n
	}
	if n = c.extra.rare.rates.read.take(n); n == 0 {
		c.flags |= readWaits
	}
	return n
}

// didRead is told how many bytes came of those that could.
func (c *Conn) didRead(may, n int) {
	if c.flags&isDraining == 0 {
		c.extra.rare.rates.read.give(may - max(n, 0))
	}
}

// readAhead is told of bytes that a poller has read by itself.
func (c *Conn) readAhead(n int) { c.extra.rare.rates.read.give(-n) }

// mayWrite is how many of n bytes may be sent now; after it comes wrote. If that is none, the connection is blocked until there are some.
func (c *Conn) mayWrite(n int) int {
	r := &c.extra.rare.rates.write
	if n = r.take(n); n == 0 {
		r.waits = true
		c.flags |= blocked
	}
	return n
}

// wrote is told how many bytes the kernel took of those that it could have had.
func (c *Conn) wrote(may, n int) { c.extra.rare.rates.write.give(may - max(n, 0)) }

// writeWaits reports whether a blocked connection waits for its rate.
func (c *Conn) writeWaits() bool { return c.flags&isLimited != 0 && c.extra.rare.rates.write.waits }

// readAgain is called when it is the connection's turn to read.
func (c *Conn) readAgain() {
	if c.flags&readWaits == 0 {
		return
	}
	c.flags &^= readWaits
	l := c.loop
	l.current = c
	if c.flags&(readPaused|hasEOF|isClosing|eofSeen) == 0 {
		c.readable(nil)
	} else {
		c.settle()
	}
	l.current = nil
	if c.flags&(readWaits|isEnded) == 0 {
		c.extra.rare.rates.read.leave()
	}
}

// writeAgain is called when it is the connection's turn to write.
func (c *Conn) writeAgain() {
	r := &c.extra.rare.rates.write
	if !r.waits {
		return
	}
	r.waits = false
	c.flags &^= blocked
	l := c.loop
	l.current = c
	c.settle()
	l.current = nil
	if !r.waits && c.flags&isEnded == 0 {
		r.leave()
	}
}

// leaveLines is called at the connection's end.
func (c *Conn) leaveLines() {
	if r := c.extra.rare.rates; r != nil {
		r.read.leave()
		r.write.leave()
		r.write.waits = false
		c.flags &^= isLimited | readWaits
	}
}
