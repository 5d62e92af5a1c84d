package http1_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/internal/rig"
)

// counting is a server that knows how many connections there are.
type counting struct {
	open, most, made atomic.Int32
	hold             chan struct{} // a request waits for it; nil does not
}

func (s *counting) start(t *testing.T) string {
	return scripted(t, func(p *peer) {
		n := s.open.Add(1)
		s.made.Add(1)
		defer s.open.Add(-1)
		for m := s.most.Load(); n > m && !s.most.CompareAndSwap(m, n); m = s.most.Load() {
		}
		for {
			if _, _, ok := p.request(); !ok {
				return
			}
			if s.hold != nil {
				<-s.hold
			}
			p.say(answerWith("x"))
		}
	})
}

// TestMaxConnsPerHost has many requests share a few connections.
func TestMaxConnsPerHost(t *testing.T) {
	s := &counting{}
	at := s.start(t)
	e := rig.New(t, rondo.Config{})
	tr := &http1.Transport{Engine: e.Engine, MaxConnsPerHost: 3}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			res, err := (&http.Client{Transport: tr}).Get(at)
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
		})
	}
	all.Wait()
	if s.most.Load() > 3 || s.made.Load() > 3 {
		t.Errorf("there were %d connections at a time, %d in all", s.most.Load(), s.made.Load())
	}
}

// TestWaiterLeaves has a request wait in line for a connection, and give up: the one behind it gets the connection.
func TestWaiterLeaves(t *testing.T) {
	s := &counting{hold: make(chan struct{})}
	at := s.start(t)
	e := rig.New(t, rondo.Config{})
	c := &http1.Client{Transport: &http1.Transport{MaxConnsPerHost: 1}}
	first := c.Fetch(e.Loop(), request(t, "GET", at, nil))
	ctx, cancel := context.WithCancel(t.Context())
	second := c.Fetch(e.Loop(), request(t, "GET", at, nil).WithContext(ctx))
	third := c.Fetch(e.Loop(), request(t, "GET", at, nil))
	cancel()
	if _, err := rig.Outcome(t, second); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(s.hold)
	rig.Result(t, first)
	rig.Result(t, third)
	if n := s.made.Load(); n != 1 {
		t.Errorf("there were %d connections", n)
	}
}

// TestMaxIdle counts the connections that are left when all requests are done.
func TestMaxIdle(t *testing.T) {
	for _, q := range []struct {
		tr   *http1.Transport
		want int32
	}{
		{&http1.Transport{}, 20},
		{&http1.Transport{MaxIdleConns: 7}, 7},
		{&http1.Transport{MaxIdleConnsPerHost: 4}, 8}, // of two hosts
		{&http1.Transport{DisableKeepAlives: true}, 0},
		{&http1.Transport{IdleConnTimeout: time.Millisecond}, 0},
	} {
		s := &counting{hold: make(chan struct{})}
		at, other := s.start(t), s.start(t)
		e := rig.New(t, rondo.Config{})
		c := &http1.Client{Transport: q.tr}
		var fs []*rondo.Future[*http.Response]
		for i := range 20 {
			fs = append(fs, c.Fetch(e.Loop(), request(t, "GET", []string{at, other}[i%2], nil)))
		}
		rig.Eventually(t, "all are connected", func() bool { return s.open.Load() == 20 })
		close(s.hold)
		for _, f := range fs {
			rig.Result(t, f)
		}
		rig.Eventually(t, fmt.Sprint(q.want, " connections are left"), func() bool { return s.open.Load() == q.want && e.Conns() == int(q.want) })
		c.CloseIdleConnections()
		rig.Eventually(t, "none is left", func() bool { return s.open.Load() == 0 })
	}
}

// TestIdleCloses has the server close a connection that is idle: the next request does not meet it.
func TestIdleCloses(t *testing.T) {
	closed := make(chan struct{}, 10)
	at := scripted(t, func(p *peer) {
		if _, _, ok := p.request(); ok {
			p.say(answerWith("x"))
		}
		p.Close()
		closed <- struct{}{}
	})
	e := rig.New(t, rondo.Config{})
	c := &http1.Client{}
	for range 3 {
		rig.Result(t, c.Fetch(e.Loop(), request(t, "POST", at, nil))) // which would not be sent again
		rig.Await(t, closed)
		rig.Eventually(t, "the client knows", func() bool { return e.Conns() == 0 })
	}
}

// TestPhases has each phase take too long.
func TestPhases(t *testing.T) {
	silent := scripted(t, func(p *peer) { _, _ = io.Copy(io.Discard, p) })
	e := rig.New(t, rondo.Config{})
	never := func(ctx context.Context, l *rondo.Loop, _ string, _ rondo.Protocol) *rondo.Future[*rondo.Conn] {
		return rondo.NewPromise[*rondo.Conn](l).Future()
	}
	proxy, err := url.Parse(silent)
	if err != nil {
		t.Fatal(err)
	}
	for what, tr := range map[string]*http1.Transport{
		"connecting":         {DialTimeout: 20 * time.Millisecond, Connect: never},
		"the answer's head":  {ResponseHeaderTimeout: 20 * time.Millisecond},
		"the answer's heads": {ResponseHeaderTimeout: 20 * time.Millisecond, Proxy: http.ProxyURL(proxy)},
	} {
		_, err := rig.Outcome(t, (&http1.Client{Transport: tr}).Fetch(e.Loop(), request(t, "POST", silent, strings.NewReader("body"))))
		timeout, ok := errors.AsType[interface {
			error
			Timeout() bool
		}](err)
		if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), strings.TrimSuffix(what, "s")) || !ok || !timeout.Timeout() {
			t.Errorf("%s: %v", what, err)
		}
		rig.Eventually(t, "nothing is left", func() bool { return e.Conns() == 0 })
	}
}

// TestUpgrade switches to another protocol: the answer's body is the connection, with what was behind the head.
func TestUpgrade(t *testing.T) {
	at := scripted(t, func(p *peer) {
		if r, _, ok := p.request(); !ok || r.Header.Get("Upgrade") != "echo" {
			return
		}
		p.say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nhello\n")
		_, _ = io.Copy(p, p.in)
	})
	req := request(t, "GET", at, nil)
	req.Header = http.Header{"Upgrade": {"echo"}, "Connection": {"Upgrade"}}
	tr := transport(t)
	res, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	conn, ok := res.Body.(io.ReadWriteCloser)
	if !ok || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%T, %s", res.Body, res.Status)
	}
	in := bufio.NewReader(conn)
	for _, said := range []string{"", "one\n", "two\n"} {
		if _, err := io.WriteString(conn, said); err != nil {
			t.Fatal(err)
		}
		want := said
		if said == "" {
			want = "hello\n"
		}
		if got, err := in.ReadString('\n'); got != want || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
	conn.Close()
	rig.Eventually(t, "the connection is gone", func() bool { return tr.Engine.Conns() == 0 })
}

// TestInformational tells who traces a request of responses 1xx.
func TestInformational(t *testing.T) {
	for server, at := range servers(t, answering) {
		var got []string
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				got = append(got, fmt.Sprint(code, h["Link"]))
				return nil
			},
		})
		res, err := transport(t).RoundTrip(request(t, "GET", at+"/hints", nil).WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if want := "[103 [</x>] 103 [</x>] 103 [</x>]]"; fmt.Sprint(got) != want {
			t.Errorf("%s: %v", server, got)
		}
	}
}

// TestClientShutdown lets a request finish, and begins none.
func TestClientShutdown(t *testing.T) {
	s := &counting{hold: make(chan struct{})}
	at := s.start(t)
	e := rig.New(t, rondo.Config{})
	l := e.Loop()
	c := &http1.Client{Transport: &http1.Transport{Engine: e.Engine, MaxConnsPerHost: 1}}
	first := c.Fetch(l, request(t, "GET", at, nil))
	waits := c.Fetch(l, request(t, "GET", at, nil))
	rig.Eventually(t, "it is connected", func() bool { return s.open.Load() == 1 })
	over := make(chan error, 1)
	go func() { over <- e.Shutdown(t.Context()) }()
	if _, err := rig.Outcome(t, waits); !errors.Is(err, rondo.ErrEngineClosed) {
		t.Error(err)
	}
	close(s.hold)
	if res := rig.Result(t, first); res.StatusCode != http.StatusOK {
		t.Error(res.Status)
	}
	if err := rig.Await(t, over); err != nil {
		t.Error(err)
	}
	if _, err := c.Transport.RoundTrip(request(t, "GET", at, nil)); !errors.Is(err, rondo.ErrEngineClosed) {
		t.Error(err)
	}
	told := false
	c.FetchFunc(l, request(t, "GET", at, nil), func(_ *http.Response, err error) { told = errors.Is(err, rondo.ErrEngineClosed) })
	if !told {
		t.Error("FetchFunc after the engine's end does not say so")
	}
}

// TestEngineCloses ends calls in whatever state.
func TestEngineCloses(t *testing.T) {
	s := &counting{hold: make(chan struct{})}
	at := s.start(t)
	defer close(s.hold)
	e := rig.New(t, rondo.Config{})
	tr := &http1.Transport{Engine: e.Engine, MaxConnsPerHost: 1}
	errs := make(chan error, 3)
	for range 3 {
		go func() {
			_, err := tr.RoundTrip(request(t, "GET", at, nil))
			errs <- err
		}()
	}
	rig.Eventually(t, "one is connected", func() bool { return s.open.Load() == 1 })
	e.Close()
	for range 3 {
		if err := rig.Await(t, errs); err == nil {
			t.Error("no error")
		}
	}
}

// TestManyLoops has one Transport on several loops: the requests for one host go to one of them, so that the limit holds for the whole.
func TestManyLoops(t *testing.T) {
	s := &counting{}
	var hosts []string
	for range 8 {
		hosts = append(hosts, s.start(t))
	}
	e := rig.New(t, rondo.Config{Loops: 4})
	tr := &http1.Transport{Engine: e.Engine, MaxConnsPerHost: 1}
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			res, err := tr.RoundTrip(request(t, "GET", hosts[i%8], nil))
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
		})
	}
	all.Wait()
	if s.made.Load() != 8 {
		t.Errorf("%d connections to 8 hosts", s.made.Load())
	}
}
