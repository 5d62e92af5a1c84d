package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rondo-go/rondo"
)

// proxyStats are counted by all loops.
type proxyStats struct {
	connections, open      atomic.Int64 // of clients
	fromClients, toClients atomic.Int64 // bytes; see countRelays for those of connections that are open
	refused                atomic.Int64 // no target could be reached
	errors                 atomic.Int64 // a connection was lost in the middle
}

// report is one line. It waits for the loops: not on one.
func (x *proxy) report(asJSON bool) string {
	countRelays(x.engine)
	s := &x.stats
	early := x.refusedEarly()
	refused := s.refused.Load() + early
	if asJSON {
		line, _ := json.Marshal(struct { // it has nothing that could fail
			Connections  int64 `json:"connections"`
			Open         int64 `json:"open"`
			FromClients  int64 `json:"bytes_from_clients"`
			ToClients    int64 `json:"bytes_to_clients"`
			Refused      int64 `json:"refused"`
			RefusedEarly int64 `json:"refused_early"`
			Errors       int64 `json:"errors"`
		}{s.connections.Load(), s.open.Load(), s.fromClients.Load(), s.toClients.Load(), refused, early, s.errors.Load()})
		return string(line)
	}
	detail := ""
	if early > 0 {
		detail = fmt.Sprintf(" (%d for their PROXY header, their handshake or a limit)", early)
	}
	return fmt.Sprintf("%s, %d open; %s from clients, %d to them; %d refused%s, %d lost in the middle.", count(int(s.connections.Load()), "connection"),
		s.open.Load(), count(int(s.fromClients.Load()), "byte"), s.toClients.Load(), refused, detail, s.errors.Load())
}

// refusedEarly is how many have never become connections of the proxy's: of those that were let in, those that are neither counted nor still about to be,
// because a header or a handshake is under way; and those that were not let in.
func (x *proxy) refusedEarly() int64 {
	n := int64(0)
	for _, ln := range x.listener.Listeners() {
		s := ln.Stats()
		n += int64(s.Accepted) - int64(s.Open) + int64(s.RefusedPerAddr+s.Declined)
	}
	// The counts are read while connections come and go.
	return max(0, n-(x.stats.connections.Load()-x.stats.open.Load()))
}

// sparseLog writes a line a second about each subject at the most, and then how many it has left out. Subjects are a target's name, or "" for the proxy itself: so there are few.
type sparseLog struct {
	out *journal

	mu       sync.Mutex
	subjects []*subject
}

// subject is what a sparseLog knows of one.
type subject struct {
	name    string
	waiting bool // until the second is over
	omitted int
}

func newSparseLog(w io.Writer) *sparseLog { return &sparseLog{out: newJournal(w)} }

func (s *sparseLog) say(l *rondo.Loop, about, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.subjects, func(x *subject) bool { return x.name == about })
	if i < 0 {
		i = len(s.subjects)
		s.subjects = append(s.subjects, &subject{name: about})
	}
	x := s.subjects[i]
	if x.waiting {
		x.omitted++
		return
	}
	x.waiting = true
	_, _ = s.out.Write([]byte(line + "\n")) // a journal never fails
	l.After(time.Second, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.recall(x)
	})
}

// recall says what was left out. It is called with the lock.
func (s *sparseLog) recall(x *subject) {
	x.waiting = false
	if x.omitted == 0 {
		return
	}
	about := ""
	if x.name != "" {
		about = "Target " + x.name + ": "
	}
	_, _ = fmt.Fprintf(s.out, "%s%s like it left out.\n", about, count(x.omitted, "line"))
	x.omitted = 0
}

// end says what was left out when there are no loops any more, and waits until all is written.
func (s *sparseLog) end() {
	s.mu.Lock()
	for _, x := range s.subjects {
		s.recall(x)
	}
	s.mu.Unlock()
	s.out.flush(lastWords)
}
