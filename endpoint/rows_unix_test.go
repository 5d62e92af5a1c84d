//go:build unix

package endpoint_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/frame"
	"github.com/rondo-go/rondo/framed"
	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/httpd"
	"github.com/rondo-go/rondo/inetd"
	"github.com/rondo-go/rondo/knock"
	"github.com/rondo-go/rondo/poetry"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// row is a protocol of the table, with the clients that belong to it. Neither half knows what carries it.
type row struct {
	name    string
	of      string // the exported functions and types that it shows, so that none is forgotten
	serve   func(s *server) error
	visit   func(v visitor) error
	without map[string]string // columns that it cannot have, and why
}

// noListener is for those that need a listener, which standard input and output are not.
var noListener = map[string]string{"stdio": "standard input and output are one connection and no listener"}

// rows are all protocols that there are. A new one goes here: TestNoneForgotten says so.
func rows() []row {
	all := []row{
		{"echo", "inetd.Echo stream.Stream", accepting(inetd.Echo), echoed, nil},
		{"echo as a task", "stream.Handle", accepting(stream.Handle(taskEcho)), echoed, nil},
		{"echo as a task that accepts", "stream.Serve", serveTask, echoed, noListener},
		{"echo as a goroutine", "", accepting(func() rondo.Protocol { return asNet{} }), echoed, nil},
		{"echo as a net.Listener", "", serveNet, echoed, noListener},
		{"half-close", "", accepting(func() rondo.Protocol { return new(farewell) }), thanks, nil},
		{"discard", "inetd.Discard", accepting(inetd.Discard), expect(strings.Repeat("nothing", 20_000), ""), nil},
		{"chargen", "inetd.Chargen", accepting(inetd.Chargen), chars, nil},
		{"daytime", "inetd.Daytime", accepting(inetd.Daytime), clock(inetd.FormatDaytime), nil},
		{"time", "inetd.Time", accepting(inetd.Time), clock(func(now time.Time) string { return string(inetd.AppendTime(nil, now)) }), nil},
		{"knock", "knock.Server knock.Client", accepting(knock.Server(nil, nil)), joke, nil},
		{"pipe", "", piping(inetd.Echo), echoed, nil},
		{"transform", "poetry.TransformServer", accepting(poetry.TransformServer(nil)), expect("9:shout.one,18:cummingsify.SPRING,", "3:ONE,6:spring,"), nil},
		{"poem, slow", "poetry.AsyncServer", reciting(pace(100, time.Millisecond)), poems, nil},
		{"poem, fast", "", reciting(pace(1<<20, 0)), poems, nil},
		{"poem, one at a time", "poetry.NewBlocking", reciteBlocking, poems, noListener},
		{"poem, by HTTP", "", reciting(pace(1<<20, 0), func(o *poetry.Options) { o.HTTP = true }), poemByHTTP, nil},
		{"poem, from a proxy", "poetry.Proxy", reciteProxied, poems, nil},
		{"HTTP, on goroutines", "http1.Server", accepting((&http1.Server{Handler: greeting}).Protocol), greeted, nil},
		{"HTTP, in tasks", "", accepting((&http1.Server{Handler: http1.Task(greeting)}).Protocol), greeted, nil},
		{"HTTP, on the loop", "httpd.Protocol", accepting(httpd.Protocol(&http1.Server{Handler: http1.NonBlocking(greeting)})), greeted, nil},
	}
	for name, f := range framings {
		all = append(all, row{"frames: " + name, "framed.Handle framed.New", accepting(framed.Handle(f, func() framed.Handler { return shouting{} })), shouted(f), nil})
	}
	slices.SortStableFunc(all[len(all)-len(framings):], func(a, b row) int { return cmp.Compare(a.name, b.name) })
	return all
}

// accepting serves what makes a protocol for each connection.
func accepting(accept func() rondo.Protocol) func(*server) error {
	return func(s *server) error { return s.accept(accept) }
}

// asNet gives its connection to a goroutine.
type asNet struct{ inetdNothing }

func (asNet) ConnectionMade(c *rondo.Conn) {
	conn := rondo.NetConn(c)
	c.Loop().Engine().Go(func() { _ = netEcho(conn) })
}

func netEcho(c net.Conn) error {
	_, err := io.Copy(c, c)
	return cmp.Or(err, c.Close())
}

func taskEcho(t *task.Task, s *stream.Stream) error { _, err := stream.Copy(t, s, s); return err }

// serveNet is a server of goroutines, as programs over package net are.
func serveNet(s *server) error {
	ln, err := s.net()
	if err != nil {
		return err
	}
	s.spawn(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.begin()
			s.spawn(func() { s.end(netEcho(c)) })
		}
	})
	return nil
}

// serveTask is one of tasks, the first of which accepts.
func serveTask(s *server) error {
	ln, err := s.bind()
	if err != nil {
		return err
	}
	task.Go(s.engine.Loop(), func(t *task.Task) (none struct{}, err error) {
		err = stream.Serve(t, ln.Listeners()[0], func(t *task.Task, st *stream.Stream) error {
			s.begin()
			st.Conn().OnLost(s.end)
			return taskEcho(t, st)
		})
		if err != nil && !errors.Is(err, rondo.ErrEngineClosed) {
			s.begin()
			s.end(err)
		}
		return none, nil
	})
	return nil
}

// piping passes on to a server behind this one.
func piping(accept func() rondo.Protocol) func(*server) error {
	return func(s *server) error {
		to, err := s.back(accept)
		if err != nil {
			return err
		}
		return s.accept(func() rondo.Protocol {
			return &accepted{func(c *rondo.Conn) {
				c.PauseReading()
				to.On(c.Loop()).Dial(s.ctx, &accepted{func(*rondo.Conn) {}}).OnDone(func(far *rondo.Conn, err error) {
					if err == nil {
						_, err = rondo.Pipe(c, far, func(p rondo.Piped) {
							s.begin()
							s.end(p.Err)
						})
					}
					if err != nil {
						c.Abort()
					}
				})
			}}
		})
	}
}

// farewell says its word, ends its direction, and closes when it was thanked.
type farewell struct {
	inetdNothing
	heard int
}

func (*farewell) ConnectionMade(c *rondo.Conn) {
	_, _ = io.WriteString(c, "good bye")
	_ = c.CloseWrite()
}

func (f *farewell) DataReceived(c *rondo.Conn, p []byte) int {
	if f.heard += len(p); f.heard == len("thanks") {
		_ = c.Close()
	}
	return len(p)
}

// thanks is a client that speaks when the server has ended its direction, and not before.
func thanks(v visitor) error {
	l := v.engine.Loop()
	p := &thanking{listening{most: 1 << 20, ended: rondo.NewPromise[string](l)}}
	if _, err := v.connect(v.ctx, l, p).Wait(v.ctx); err != nil {
		return err
	}
	got, err := p.ended.Future().Wait(v.ctx)
	return heard(got, "good bye", err)
}

type thanking struct{ listening }

func (*thanking) EOFReceived(c *rondo.Conn) {
	_, _ = io.WriteString(c, "thanks")
	_ = c.Close()
}

// chars hears a good deal of what never ends.
func chars(v visitor) error {
	var want []byte
	for line := range 2000 {
		want = inetd.AppendLine(want, line%95)
	}
	got, err := v.hear("", len(want))
	return heard(got[:min(len(got), len(want))], string(want), err)
}

// clock hears what time it is: that of the server's loop, which is the world's or within a second of ours.
func clock(format func(now time.Time) string) func(visitor) error {
	return func(v visitor) error {
		from := v.now()
		got, err := v.converse("anybody?")
		if err != nil {
			return err
		}
		if !v.exact {
			from = from.Add(-time.Second)
		}
		for at := from; !at.After(v.now().Add(time.Second)); at = at.Add(time.Second) {
			if got == format(at) {
				return nil
			}
		}
		return fmt.Errorf("heard %q at %v", got, v.now())
	}
}

func joke(v visitor) error {
	var said []string
	l := v.engine.Loop()
	ended := rondo.NewPromise[struct{}](l)
	client := knock.Client("Boo", func(line knock.Line) { said = append(said, line.Text) }, func(err error) {
		if err != nil {
			ended.Reject(err)
			return
		}
		ended.Resolve(struct{}{})
	})
	if _, err := v.connect(v.ctx, l, client).Wait(v.ctx); err != nil {
		return err
	}
	_, err := ended.Future().Wait(v.ctx)
	return heard(strings.Join(said, "/"), "Knock knock/Who's there?/Boo/Boo who?", err)
}

// poem is what the servers of poems have.
var poem = strings.Repeat("For I have had too much of apple-picking: I am overtired\n", 20)

func pace(bytes int, delay time.Duration) poetry.Options {
	o := poetry.DefaultOptions(poetry.PoemSource(poetry.Poem{Name: "apples", Text: poem}))
	o.NumBytes, o.Delay = bytes, delay
	return o
}

func reciting(o poetry.Options, change ...func(*poetry.Options)) func(*server) error {
	return func(s *server) error {
		for _, fn := range change {
			fn(&o)
		}
		p, err := poetry.NewAsync(s.engine, o)
		if err != nil {
			return err
		}
		return s.accept(p.Accept)
	}
}

// reciteBlocking is the server that blocks, over a net.Listener.
func reciteBlocking(s *server) error {
	ln, err := s.net()
	if err != nil {
		return err
	}
	o := pace(100, time.Millisecond)
	o.Sleep, o.Now = s.sleep, s.now
	p, err := poetry.NewBlocking(ln, o)
	if err != nil {
		return err
	}
	s.begin() // it tells nobody of single connections
	s.spawn(func() {
		if err := p.Serve(s.ctx); err != nil {
			s.end(err)
		}
	})
	s.mu.Lock()
	s.open--
	s.mu.Unlock()
	return nil
}

// reciteProxied has a proxy for a slow server behind it.
func reciteProxied(s *server) error {
	origin, err := poetry.NewAsync(s.engine, pace(100, time.Millisecond))
	if err != nil {
		return err
	}
	to, err := s.back(origin.Accept)
	if err != nil {
		return err
	}
	x := &poetry.Proxy{Dial: func(ctx context.Context, l *rondo.Loop, p rondo.Protocol) *rondo.Future[*rondo.Conn] {
		return to.On(l).Dial(ctx, p)
	}}
	return s.accept(x.Accept)
}

// poems has each client get the poem: on the loop, by tasks, and blocking.
func poems(v visitor) error {
	c := poetry.Client{
		Now: v.now, Connect: func(ctx context.Context, l *rondo.Loop, _ string, p rondo.Protocol) *rondo.Future[*rondo.Conn] {
			return v.connect(ctx, l, p)
		},
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return v.net(ctx) },
	}
	at := []poetry.Address{{Endpoint: cmp.Or(v.at, "stdio:")}}
	if v.only == nil {
		at = append(at, at[0])
	}
	check := func(r *poetry.Report) error {
		for _, f := range r.Tasks {
			if f.Err != nil {
				return f.Err
			}
			if err := heard(string(f.Poem), poem, nil); err != nil || f.Address != at[0].Endpoint {
				return fmt.Errorf("%s from %s: %w", r.Mode, f.Address, err)
			}
		}
		return nil
	}
	err := check(c.FetchAsync(v.ctx, v.engine.Loop(), at))
	if err != nil || v.only != nil {
		return err
	}
	if err := errors.Join(check(c.FetchTasks(v.ctx, v.engine.Loop(), at)), check(c.FetchBlocking(v.ctx, at))); err != nil || v.exact {
		return err
	}
	return check(c.FetchThreads(v.ctx, at)) // whose goroutines a simulated world does not know
}

func poemByHTTP(v visitor) error {
	got, err := v.converse("GET / HTTP/1.1\r\nHost: poems\r\n\r\n")
	if err != nil {
		return err
	}
	head, body, _ := strings.Cut(got, "\r\n\r\n")
	if !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") {
		return fmt.Errorf("heard %q", head)
	}
	return heard(body, fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(poem), poem), nil)
}

// greeting answers a request with its body.
var greeting = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	said, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s said %q, %v", r.URL.Path, said, err)
})

func greeted(v visitor) error {
	got, err := v.converse("POST /boo HTTP/1.1\r\nHost: who\r\nConnection: close\r\nContent-Length: 5\r\n\r\nknock")
	if err != nil {
		return err
	}
	head, body, _ := strings.Cut(got, "\r\n\r\n")
	if !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") {
		return fmt.Errorf("heard %q", head)
	}
	return heard(body, `/boo said "knock", <nil>`, nil)
}

var framings = map[string]frame.Framing{
	"lines": frame.Lines(200), "linesCRLF": frame.LinesCRLF(200), "delimited": frame.Delimited("<end>", 200), "netstrings": frame.Netstrings(200), "uint8": frame.Uint8(200),
	"uint16": frame.Uint16(200), "uint16LE": frame.Uint16LE(200), "uint32": frame.Uint32(200), "uint32LE": frame.Uint32LE(200), "varints": frame.Varints(200),
}

// shouting answers messages in capital letters.
type shouting struct{}

func (shouting) ConnectionMade(*framed.Conn)               {}
func (shouting) ConnectionLost(*framed.Conn, error)        {}
func (shouting) FrameReceived(c *framed.Conn, line []byte) { _ = c.SendFrame(bytes.ToUpper(line)) }

// shouted is a client of the same framing, which sends the next message when the one before was answered.
func shouted(f frame.Framing) func(visitor) error {
	return func(v visitor) error {
		l := v.engine.Loop()
		m := &messages{ended: rondo.NewPromise[string](l), left: []string{"one", "", "three", strings.Repeat("four", 50)}}
		want := strings.ToUpper(strings.Join(m.left, "/")) + "/"
		if _, err := v.connect(v.ctx, l, framed.New(f, m)).Wait(v.ctx); err != nil {
			return err
		}
		got, err := m.ended.Future().Wait(v.ctx)
		return heard(got, want, err)
	}
}

type messages struct {
	left  []string
	got   string
	ended *rondo.Promise[string]
}

func (m *messages) ConnectionMade(c *framed.Conn) { m.next(c) }

func (m *messages) next(c *framed.Conn) {
	if len(m.left) == 0 {
		_ = c.Close()
		return
	}
	_ = c.SendFrame([]byte(m.left[0]))
	m.left = m.left[1:]
}

func (m *messages) FrameReceived(c *framed.Conn, p []byte) {
	m.got += string(p) + "/"
	m.next(c)
}

func (m *messages) ConnectionLost(_ *framed.Conn, err error) {
	if err != nil {
		m.ended.Reject(err)
		return
	}
	m.ended.Resolve(m.got)
}
