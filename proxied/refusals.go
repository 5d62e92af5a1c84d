package proxied

import (
	"sync"
	"time"

	"github.com/rondo-go/rondo"
)

// refusals tells the log of connections that were reset, and not of each: anybody can make as many as they like. All loops share it.
type refusals struct {
	mu      sync.Mutex
	began   time.Time // this second
	told    int       // in it
	omitted int
}

const (
	toldAtMost = 5 // in so long
	toldEvery  = time.Second
)

// log tells of one, on its loop.
func (r *refusals) log(l *rondo.Loop, err *RefusedError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := l.Now(); r.told == 0 || now.Sub(r.began) > 2*toldEvery { // whose loop has ended in between renews nothing
		r.began, r.told = now, 0
		l.After(toldEvery, func() { r.renew(l) })
	}
	if r.told == toldAtMost {
		r.omitted++
		return
	}
	r.told++
	l.Engine().Logger().Warn("proxied: a connection was reset for its PROXY header", "error", err)
}

// renew begins another second.
func (r *refusals) renew(l *rondo.Loop) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.omitted > 0 {
		l.Engine().Logger().Warn("proxied: more connections were reset for their PROXY headers", "connections", r.omitted)
	}
	r.told, r.omitted = 0, 0
}
