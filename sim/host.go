package sim

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/world"
)

// Host is a machine with a name, an address and a process on it, which can be killed and started again.
type Host struct {
	w       *World
	name    string
	index   int // among the world's
	ip      netip.Addr
	step    time.Duration // how far the clock on the wall has been set forward
	files   int           // how many descriptors a process may have
	program func(h *Host) error
	up      *hostWorld // the process; nil: there is none
	dark    bool       // the machine is off
	boots   int
	off     int64 // when it was last switched off
	paused  int64 // the process does nothing until then
	faults  hostFaults

	// Connections that stand, or are being made, also those of a process that has ended which have something to send yet. See connections.
	conns []*socket // nil: one that is over
	over  int       // of them
	bound map[netip.AddrPort][]*socket
}

// Host is the host of that name. One that there is not yet is made: its address is the next of 10.0.0.1, 10.0.0.2, ..., and its name can be
// looked up on every host, in capitals or small letters, and with a dot at its end or without. Localhost is no name for one: on each host it is the host itself.
func (w *World) Host(name string) *Host {
	if h := w.byName[name]; h != nil {
		return h
	}
	known := plainName(name)
	if known == "" || known == localhost {
		panic(fmt.Sprintf("sim: World.Host needs the name of a machine, and %q is what every machine calls itself", name))
	}
	w.nextIP++
	n := w.nextIP
	h := &Host{w: w, name: name, index: len(w.hosts), ip: netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), files: 1 << 20}
	w.hosts = append(w.hosts, h)
	w.byName[name] = h
	if w.known[known] == nil {
		w.known[known] = h
	}
	h.boot()
	h.drawFaults()
	for _, p := range w.parted {
		for _, other := range p {
			w.link(other, h).cutOff()
		}
	}
	return h
}

const localhost = "localhost"

// plainName is how a name is known to who looks names up.
func plainName(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// Hosts are all hosts, in the order in which they were made.
func (w *World) Hosts() []*Host { return slices.Clone(w.hosts) }

func (h *Host) boot() {
	h.boots++
	h.faults.noFiles = 0 // it was the last process that had opened too many
	h.up = &hostWorld{Host: h, port: firstPort, listeners: map[door][]*socket{}, packets: map[door][]*socket{}}
}

// Name is the host's name, and Addr its address.
func (h *Host) Name() string { return h.name }

// Addr is the host's address.
func (h *Host) Addr() netip.Addr { return h.ip }

// World is the world that the host is in.
func (h *Host) World() *World { return h.w }

// Up reports whether the host's process runs.
func (h *Host) Up() bool { return h.up != nil }

// Engine is the engine of the host's process, with one loop. The first call starts it; the process that a restart brings has another. It panics if the host is
// down. For others than this one, or more than one, there is New.
func (h *Host) Engine() *rondo.Engine {
	if h.up != nil && h.up.engine != nil {
		return h.up.engine
	}
	e, err := h.New(rondo.Config{})
	if err != nil {
		panic(err)
	}
	h.up.engine = e
	return e
}

// New starts an engine on the host, as rondo.New does. Zero Loops are one here, and what the engine reports goes to the world's log if
// there is no Logger. An engine that is still open when the simulation ends is closed.
func (h *Host) New(cfg rondo.Config) (*rondo.Engine, error) {
	if h.up == nil {
		return nil, fmt.Errorf("sim: host %s is down", h.name)
	}
	cfg.Loops = cmp.Or(cfg.Loops, 1)
	cfg.ReadBuffer = cmp.Or(cfg.ReadBuffer, 16<<10) // there may be a thousand hosts
	if cfg.Logger == nil {
		cfg.Logger = h.w.logger(h.name)
	}
	e, err := rondo.NewIn(h.up, cfg)
	if err == nil {
		h.up.engines = append(h.up.engines, e)
		h.w.homes[e] = h.up
	}
	return e, err
}

// Start runs program, as a goroutine of the host's: it starts engines and servers, and returns. After a crash it is run again, by
// [Host.Restart]. If it returns an error the process is killed, and started again after a second, as whatever looks after the programs of a machine does.
func (h *Host) Start(program func(h *Host) error) {
	h.program = program
	p := h.up
	h.Go(func() {
		err := program(h)
		if err == nil {
			return
		}
		h.w.log.say(h.name, "failed", err.Error())
		h.Kill()
		h.w.after(restartDelay, func() {
			if h.up == nil && p.gone {
				h.Restart()
			}
		})
	})
}

const restartDelay = time.Second

// After has fn called, as a goroutine of the host's process, once d has passed, unless stop is called before: see [World.After]. If the process has been
// killed by then it is not, nor is it if there is none now.
func (h *Host) After(d time.Duration, fn func()) (stop func()) {
	if !h.w.called() {
		return func() {}
	}
	p := h.up
	if p == nil {
		return func() {}
	}
	return h.w.after(d, func() {
		if !p.gone {
			h.w.spawn(p, "a function given to Host.After of host "+h.name, fn)
		}
	})
}

// Go runs fn as a goroutine of the host's process: see [World.Go]. On a host that is down it does nothing.
func (h *Host) Go(fn func()) {
	if h.w.called() && h.up != nil {
		h.w.spawn(h.up, "a goroutine of host "+h.name, fn)
	}
}

// Kill ends the host's process, as kill -9 does: none of its code runs any more, but for deferred functions of goroutines and tasks. The system
// closes its connections.
func (h *Host) Kill() {
	if h.up != nil {
		h.w.log.add(h.name, "kill", "")
		h.down(true)
	}
}

// PowerOff is Kill of the whole machine: its peers hear nothing, and find out when they send something, or never.
func (h *Host) PowerOff() {
	h.w.log.add(h.name, "power off", "")
	if h.up != nil {
		h.down(false)
	}
	h.dark, h.off = true, h.w.now
	for _, s := range h.connections() { // also those that are closed, and have something to send yet
		s.vanish(true)
	}
}

func (h *Host) down(tell bool) {
	p := h.up
	h.up = nil
	p.gone = true
	h.dark = !tell
	for _, s := range p.sockets() {
		s.vanish(!tell)
	}
	p.table, p.holes = nil, nil
	h.w.leave(p)
	// The goroutine that calls may be one of them.
	h.w.at(h.w.now, &call{fn: func() {
		for _, r := range h.w.routinesOf(p) {
			h.w.kill(r)
		}
	}})
}

// Restart starts the host again, with the program that was given to Start. One that is up is killed first.
func (h *Host) Restart() {
	h.Kill()
	if h.w.ending { // nobody would close what it starts
		return
	}
	h.w.log.add(h.name, "restart", "")
	h.paused, h.dark = 0, false
	h.boot()
	if h.program != nil {
		h.Start(h.program)
	}
}

// Pause stops the host's process for d, as a collection of garbage or a busy machine does. Its connections stand, and what is sent to it waits.
func (h *Host) Pause(d time.Duration) {
	h.w.log.add(h.name, "pause", d.String())
	h.paused = max(h.paused, h.w.now+int64(d))
	if p := h.up; p != nil {
		h.w.at(h.paused, &call{fn: func() {
			if h.w.now < h.paused { // there was another pause meanwhile
				return
			}
			for _, q := range p.pollers {
				q.notify()
			}
			h.w.ready = append(h.w.ready, p.stopped...)
			p.stopped = nil
		}})
	}
}

// StepClock sets the host's clock on the wall forward, or back if d is less than zero. Loop.Now jumps; timers do not.
func (h *Host) StepClock(d time.Duration) {
	h.w.log.add(h.name, "clock step", d.String())
	h.step += d
}

// SetMaxFiles says how many descriptors the host's process may have open: connections, and listeners. Beyond that opening and accepting fail
// with EMFILE.
func (h *Host) SetMaxFiles(n int) {
	h.w.log.add(h.name, "set max files", strconv.Itoa(n))
	h.files = n
}

// Signal sends a signal to the process: see rondo.Loop.OnSignal. One that nobody has asked for is dropped.
func (h *Host) Signal(sig os.Signal) {
	if h.up == nil {
		return
	}
	h.w.log.add(h.name, "signal", sig.String())
	for _, n := range h.up.signals {
		if n.sig == sig {
			h.w.spawn(h.up, "a signal's delivery", n.fn)
		}
	}
}

// hostWorld is a host's process, from one start to the next: the world of its engines.
type hostWorld struct {
	*Host
	gone      bool
	engines   []*rondo.Engine
	engine    *rondo.Engine // of them, Host.Engine's
	pollers   []*simPoller
	table     []*socket // by descriptor, from firstFile
	holes     holes     // in it
	listeners map[door][]*socket
	packets   map[door][]*socket // sockets of datagrams
	autobound int                // abstract names that were chosen
	port      uint16
	signals   []*notification
	closing   bool
	open      int        // engines that closing waits for
	used      int        // descriptors
	chance    *rand.Rand // what the engines' programs leave to it; nil until they do
	stopped   []*routine // could go on, if the process were not paused or gone
}

type notification struct {
	sig os.Signal
	fn  func()
}

const (
	firstFile = 3
	firstPort = 32768
)

// close closes the engines.
func (p *hostWorld) close() {
	p.closing = true
	for _, e := range p.engines {
		p.open++
		p.w.spawn(p, "the closing of an engine", func() {
			_ = e.Close()
			p.open--
		})
	}
}

func (p *hostWorld) closed() bool { return p.closing && p.open == 0 }

// Open implements world.World.
func (p *hostWorld) Open() (poller.Poller, error) {
	q := &simPoller{p: p, w: p.w}
	p.pollers = append(p.pollers, q)
	return q, nil
}

// Go implements world.World.
func (p *hostWorld) Go(kind world.Kind, fn func()) {
	if !p.w.called() {
		return
	}
	r := p.w.spawn(p, string(kind)+" of host "+p.name, fn)
	r.loop = kind == world.Loop
	if r.work = kind == world.Work && !r.over; r.work {
		p.w.working++
	}
}

// TakesTurns implements world.World.
func (p *hostWorld) TakesTurns() bool { return true }

// Block implements world.World.
func (p *hostWorld) Block(ready func() bool, on ...any) { p.w.block(ready, on...) }

// Wake implements world.World.
func (p *hostWorld) Wake(on any) {
	if p.w.called() {
		p.w.wake(on)
	}
}

// AfterFunc implements world.World.
func (p *hostWorld) AfterFunc(ctx context.Context, fn func()) (stop func() bool) {
	if ctx.Done() == nil {
		stopped := false
		return func() bool {
			before := stopped
			stopped = true
			return !before
		}
	}
	if !p.w.called() {
		return func() bool { return true }
	}
	v := &watch{host: p, fn: fn}
	p.w.watch(ctx, v)
	return func() bool { return p.w.unwatch(v) }
}

// LookupNetIP implements world.World.
func (p *hostWorld) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	p.w.notTimed(p, ctx)
	missing := &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	delay, failure := p.lookupFaults(host)
	if delay > 0 {
		over := false
		p.w.after(delay, func() {
			over = true
			p.w.wake(&over)
		})
		p.w.block(func() bool { return over || ctx.Err() != nil }, &over, ctx)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if failure != nil {
		return nil, failure
	}
	known := plainName(host)
	if addrs, ok := p.w.names[known]; ok {
		return suited(addrs, network, missing)
	}
	if network == "ip6" {
		return nil, missing
	}
	if known == localhost || known == "" {
		return []netip.Addr{loopback}, nil
	}
	if h := p.w.byName[host]; h != nil {
		return []netip.Addr{h.ip}, nil
	}
	if h := p.w.known[known]; h != nil {
		return []netip.Addr{h.ip}, nil
	}
	return nil, missing
}

// services are the ports that have names. The machine's own list, in a file, is not of this world.
var services = map[string]int{
	"echo": 7, "discard": 9, "daytime": 13, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "time": 37, "domain": 53, "finger": 79, "http": 80, "pop3": 110,
	"ntp": 123, "imap": 143, "imap2": 143, "snmp": 161, "irc": 194, "ldap": 389, "https": 443, "submissions": 465, "submission": 587, "ldaps": 636,
	"imaps": 993, "pop3s": 995, "socks": 1080, "mqtt": 1883, "nfs": 2049, "mysql": 3306, "postgresql": 5432, "amqps": 5671, "amqp": 5672, "redis": 6379,
	"http-alt": 8080,
}

// Random implements world.World. Each process has numbers of its own, so that they are the same whatever others draw.
func (p *hostWorld) Random() uint64 {
	if p.chance == nil {
		p.chance = p.w.random(fmt.Sprintf("engines of %s, process %d", p.name, p.boots))
	}
	return p.chance.Uint64()
}

// LookupPort implements world.World.
func (p *hostWorld) LookupPort(_ context.Context, network, service string) (int, error) {
	if n, err := strconv.ParseUint(service, 10, 16); err == nil {
		return int(n), nil
	}
	if port, ok := services[strings.ToLower(service)]; ok {
		return port, nil
	}
	return 0, &net.DNSError{Err: "unknown port", Name: network + "/" + service, IsNotFound: true}
}

// Notify implements world.World.
func (p *hostWorld) Notify(sig os.Signal, fn func()) (stop func()) {
	n := &notification{sig, fn}
	p.signals = append(p.signals, n)
	return func() {
		p.signals = slices.DeleteFunc(p.signals, func(other *notification) bool { return other == n })
	}
}

// Deadline implements world.World.
func (p *hostWorld) Deadline(t time.Time) { p.w.notReal(p, t, "a connection", "take it from Loop.Now") }

// Gone implements world.World.
func (p *hostWorld) Gone() bool { return p.gone }

// routinesOf are a process's, in the order in which they began.
func (w *World) routinesOf(p *hostWorld) []*routine {
	var rs []*routine
	for r := range w.all {
		if r.host == p {
			rs = append(rs, r)
		}
	}
	slices.SortFunc(rs, func(a, b *routine) int { return cmp.Compare(a.id, b.id) })
	return rs
}
