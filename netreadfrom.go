package rondo

import (
	"io"
	"math"
	"net"
	"os"
)

// netFile is what a goroutine has asked the loop to send.
type netFile struct {
	file     *os.File
	offset   int64
	n        int64 // bytes; below 0: to the end
	transfer *FileTransfer
	over     bool
	sent     int64
	err      error
}

// ReadFrom implements io.ReaderFrom: everything up to the end of r is written to the connection. If r is a regular *os.File, or an io.LimitedReader of one, it is sent as [Conn.SendFile]
// does, and ReadFrom returns when the last byte was sent: that is how io.Copy and http.ServeContent use sendfile(2). The write deadline holds; after an error the file's position is behind what was sent.
func (n *netConn) ReadFrom(r io.Reader) (int64, error) {
	f := fileOf(r)
	if f == nil {
		return io.Copy(onlyWriter{n}, r)
	}
	n.mu.Lock()
	for n.writing {
		n.changed.wait()
	}
	n.writing = true
	n.file = f
	n.ask()
	err := n.waitFile(f)
	n.file = nil
	n.writing = false
	n.changed.broadcast()
	n.mu.Unlock()
	if l, ok := r.(*io.LimitedReader); ok {
		l.N -= f.sent
	}
	if _, failed := f.file.Seek(f.offset+f.sent, io.SeekStart); err == nil && failed != nil {
		err = failed
	}
	return f.sent, err
}

// waitFile waits until the loop is done with f, with the lock held.
func (n *netConn) waitFile(f *netFile) error {
	for {
		var err error
		switch {
		case n.closed || n.finish:
			err = net.ErrClosed
		case n.write.expired:
			err = os.ErrDeadlineExceeded
		case n.dead != nil:
			err = n.dead
		}
		switch {
		case f.over && f.err == nil:
			return nil
		case f.over && err == nil:
			err = f.err
		}
		if err != nil && (f.over || n.dead != nil || f.transfer == nil) {
			return n.opError("write", err) // the loop does not send it, nor begins to: n.file is nil now
		}
		if err != nil {
			n.ask() // to stop it
		}
		n.changed.wait()
	}
}

// sendFile begins to send what ReadFrom has asked for, or stops it, on the loop and with the lock held.
func (n *netConn) sendFile() {
	f, c := n.file, n.conn
	switch {
	case f.over:
	case f.transfer == nil && (n.closed || n.finish || n.write.expired):
	case f.transfer == nil && len(n.out) == 0:
		t, err := c.SendFile(f.file, f.offset, f.n, func(sent int64, err error) {
			n.mu.Lock()
			defer n.mu.Unlock()
			f.sent, f.err, f.over = sent, err, true
			n.wake()
		})
		if f.transfer = t; err != nil {
			f.err, f.over = err, true
			n.wake()
		}
	case f.transfer != nil && (n.closed || n.finish || n.write.expired):
		f.transfer.Stop()
	}
}

// fileOf is the regular file that r reads, and how much of it; nil if there is none, or it cannot be told.
func fileOf(r io.Reader) *netFile {
	n := int64(-1)
	if l, ok := r.(*io.LimitedReader); ok {
		if n, r = max(l.N, 0), l.R; n == math.MaxInt64 {
			n = -1
		}
	}
	f, ok := r.(*os.File)
	if !ok {
		return nil
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	offset, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil
	}
	if n >= 0 { // a reader of a shorter file just ends
		n = min(n, max(info.Size()-offset, 0))
	}
	return &netFile{file: f, offset: offset, n: n}
}

// onlyWriter hides ReadFrom from io.Copy.
type onlyWriter struct{ io.Writer }
