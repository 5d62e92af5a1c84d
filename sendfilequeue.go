package rondo

// This file is where files to be sent stand among what was written. While there is one, Conn.out is not nil, nor is the plain output of a connection with a layer, so that what is written waits
// in them, and so do the ends of the connection.

// sendsFiles reports whether there are files that have not been sent.
func (c *Conn) sendsFiles() bool {
	x := c.extra
	return x != nil && x.rare != nil && len(x.rare.files) > 0
}

// queueFile puts a file behind what was written.
func (c *Conn) queueFile(t *FileTransfer) {
	x := c.setRare()
	if c.out == nil {
		c.out = c.loop.buffers.getOutput()
	}
	o := c.out
	if c.flags&isLayered != 0 {
		if c.extra.plain == nil {
			c.extra.plain = c.loop.buffers.getOutput()
			c.flags |= mustSeal
		}
		o = c.extra.plain
	}
	t.before = o.pending()
	for _, earlier := range x.files {
		t.before -= earlier.before
	}
	x.files = append(x.files, t)
	c.loop.markDirty(c)
}

// unqueueFile takes it out again.
func (c *Conn) unqueueFile(t *FileTransfer) {
	files := c.extra.rare.files
	for i, other := range files {
		if other != t {
			continue
		}
		if i+1 < len(files) {
			files[i+1].before += t.before
		}
		copy(files[i:], files[i+1:])
		files[len(files)-1] = nil
		c.extra.rare.files = files[:len(files)-1]
		return
	}
}

// endFiles is told that the connection has ended.
func (c *Conn) endFiles(reason error) {
	if reason == nil {
		reason = ErrClosed
	}
	for x := c.extra.rare; len(x.files) > 0; {
		x.files[0].finish(reason)
	}
}

// took counts bytes that have left the output before the first file.
func (c *Conn) took(n int) {
	if files := c.extra.rare.files; len(files) > 0 {
		files[0].before -= n
	}
}

// sendFiles sends the files of a connection without a layer, and what was written before each. It reports whether what is behind them may be sent. The budget keeps a fast
// peer from starving others.
func (c *Conn) sendFiles() bool {
	x := c.extra.rare
	for budget := fileBudget; len(x.files) > 0; {
		if c.flags&blocked != 0 {
			return false
		}
		t := x.files[0]
		switch {
		case t.before > 0:
			rest, err := c.send(c.out.data[c.out.sent : c.out.sent+t.before])
			if err != nil {
				return false
			}
			c.out.sent += t.before - len(rest)
			t.before = len(rest)
			if c.out.pending() == 0 {
				c.out.data, c.out.sent = c.out.data[:0], 0
			}
		case budget <= 0:
			c.again(0)
			return false
		default:
			budget -= t.step(budget)
			if t.reading != nil || c.flags&isEnded != 0 {
				return false
			}
		}
	}
	return true
}

// sealFiles gives the layer the files, and what was written before each, no faster than what it makes of them is taken. It reports whether what is behind them may be sealed.
func (c *Conn) sealFiles() bool {
	x, layer := c.extra.rare, c.extra.layer
	for budget := fileBudget; len(x.files) > 0; {
		if c.out.pending() > 0 && (c.flags&blocked != 0 || c.sendOutput() != nil || c.out.pending() > 0) {
			return false
		}
		t, plain := x.files[0], c.extra.plain
		switch {
		case t.before > 0:
			p := plain.data[plain.sent : plain.sent+t.before]
			plain.sent += t.before
			t.before = 0
			if err := layer.Write(p); err != nil {
				c.end(err, true)
			}
		case budget <= 0:
			c.again(0)
			return false
		default:
			sent, below := t.sent, x.below
			_, high, _ := c.writeLimits()
			budget -= t.step(max(1, min(budget, high/2, fileChunk)))
			if t.sent > sent && x.below == below && c.flags&isEnded == 0 {
				return false // the layer keeps it: it is not ready, and will wake the connection
			}
			if t.reading != nil {
				return false
			}
		}
		if c.flags&isEnded != 0 {
			return false
		}
	}
	return true
}
