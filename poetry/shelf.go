package poetry

import (
	"bytes"
	"sync"
	"sync/atomic"
)

// A shelf keeps one copy of a poem that many clients are being sent, and must not change. The file is read anew for each
// of them, and what was read is dropped if it is what stands on the shelf already. It is read by one at a time, and who
// waits for its turn takes what was read from the beginning to the end meanwhile, which is as new. So the memory is that of
// the versions of the file that are being sent, and of one more, however many clients there are and however many come at once; and since
// bytes are compared, not times of modification, no change is missed. Safe from any goroutine.
type shelf struct {
	begun atomic.Uint64 // reads

	mu   sync.Mutex // held by who reads
	poem []byte
	err  error // of the last read
}

// read calls from, unless that was done since it was called.
func (s *shelf) read(from func() ([]byte, error)) ([]byte, error) {
	return s.readSince(s.begun.Load(), from)
}

// readSince is read for who came when so many reads had begun.
func (s *shelf) readSince(came uint64, from func() ([]byte, error)) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun.Load() == came {
		s.begun.Add(1)
		var poem []byte
		if poem, s.err = from(); s.err == nil && !bytes.Equal(s.poem, poem) {
			s.poem = poem
		}
	}
	if s.err != nil {
		return nil, s.err
	}
	return s.poem, nil
}
