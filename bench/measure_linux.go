package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"
)

//go:embed bare/bare.c
var bareSource []byte

// subject is a server that is measured.
type subject struct {
	name  string // as in -servers, or the command
	label string // as in tables
	argv  func(addr string) []string
}

// bench is one run of this program.
type bench struct {
	options
	report
	dir      string // for the compiled limit, and for logs
	subjects []subject
	progress io.Writer
}

// measure does everything. Tables go to out; what happens meanwhile goes to progress.
func measure(ctx context.Context, o options, out, progress io.Writer) (err error) {
	// For onCore, and because servers die with the thread that started them.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	b := &bench{options: o, progress: progress}
	b.Size = o.size
	if b.Machine, err = survey(); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "rondo-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	fmt.Fprintf(out, "%v\n\n", b.Machine)
	switch {
	case o.pollers:
		err = b.comparePollers(ctx, out)
	case o.udp:
		err = b.compareUDP(ctx, out)
	case o.http:
		err = b.compareHTTP(ctx, out)
	case o.proxy:
		err = b.compareProxies(ctx, out)
	default:
		err = b.compareServers(ctx, out)
	}
	if o.json != "" && err == nil {
		err = b.report.write(o.json)
	}
	return err
}

func (b *bench) compareServers(ctx context.Context, out io.Writer) error {
	if err := b.prepare(ctx, out); err != nil {
		return err
	}
	fmt.Fprintf(out, "Processor time of the server per %d-byte message echoed, %s of %gs in turn: median (min–max).\n\n",
		b.size, plural(b.rounds, "round"), b.seconds)
	for _, conns := range b.conns {
		if _, err := b.affordable(conns); err != nil {
			return err
		}
		found, err := b.inTurn(ctx, b.busy(), work{conns: conns, size: b.size, turn: b.turn(), tls: b.tls})
		if err != nil {
			return err
		}
		b.Echo = append(b.Echo, found...)
		b.show(out, echoTable(found, conns), found)
	}
	if b.idle == 0 {
		return nil
	}
	return b.compareMemory(ctx, out)
}

// inTurn measures each server as often as there are rounds.
func (b *bench) inTurn(ctx context.Context, of []subject, w work) ([]series, error) {
	var found []series
	for _, s := range of {
		found = append(found, series{Server: s.name, Label: s.label, Conns: w.conns})
	}
	for round := range b.rounds {
		for i, s := range of {
			one, err := b.take(ctx, s, w)
			if err != nil {
				return nil, fmt.Errorf("%s with %d connections: %w", s.label, w.conns, err)
			}
			found[i].Samples = append(found[i].Samples, one)
			lost := ""
			if w.udp {
				lost = fmt.Sprintf(", %d lost", one.Lost)
			}
			b.say("%d connections, round %d of %d: %s %.0f ns%s", w.conns, round+1, b.rounds, s.label, one.cost(), lost)
		}
	}
	return found, nil
}

// show writes a table, and what is to be said of it.
func (b *bench) show(out io.Writer, t table, found []series) {
	fmt.Fprintln(out, t)
	if warning := disturbance(found); warning != "" {
		fmt.Fprintf(out, "%s\n\n", warning)
	}
}

// busy are the servers that echo.
func (b *bench) busy() []subject {
	return slices.DeleteFunc(slices.Clone(b.subjects), func(s subject) bool { return s.name == httpTLSServer })
}

// prepare finds out how to start each server.
func (b *bench) prepare(ctx context.Context, out io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, name := range b.servers {
		s := subject{name: name, label: name}
		s.argv = func(addr string) []string {
			return []string{self, "serve", "-poller", b.poller, "-size", fmt.Sprint(b.size), name, addr}
		}
		switch name {
		case bareServer:
			s.label = "bare epoll loop in C, the limit"
			binary, err := b.compile(ctx, "bare", bareSource)
			if err == nil {
				s.argv = func(addr string) []string { return []string{binary, portOf(addr)} }
				break
			}
			fmt.Fprintf(out, "The limit is the bare epoll loop in Go, because the one in C could not be compiled: %v\n\n", err)
			s.label = "bare epoll loop in Go, the limit"
			s.argv = func(addr string) []string { return []string{self, "serve", bareGoServer, addr} }
		case bareGoServer:
			s.label = "bare epoll loop in Go"
		case rondoServer:
			if b.poller != "" {
				s.label = fmt.Sprintf("rondo (%s)", b.poller)
			}
		case taskServer:
			s.label = "rondo, a task per connection"
		case netServer:
			s.label = "net, a goroutine per connection"
		case bareTLSServer:
			s.label = "bare epoll loop with crypto/tls, the limit"
		case rondoTLSServer:
			s.label = "rondo, package secure"
		case netTLSServer:
			s.label = "crypto/tls, a goroutine per connection"
		case httpTLSServer:
			s.label = "net/http over TLS"
		case netpollServer:
			s.label = "cloudwego/netpoll" + versionOf("github.com/cloudwego/netpoll")
		}
		b.subjects = append(b.subjects, s)
	}
	b.addCommands(strings.NewReplacer())
	return nil
}

// addCommands adds the servers of -command, in which replacer has its part, too.
func (b *bench) addCommands(replacer *strings.Replacer) {
	for _, command := range b.commands {
		b.subjects = append(b.subjects, subject{
			name:  command,
			label: filepath.Base(strings.Fields(command)[0]),
			argv: func(addr string) []string {
				own := strings.NewReplacer("{addr}", addr, "{port}", portOf(addr))
				return []string{"/bin/sh", "-c", own.Replace(replacer.Replace(command))}
			},
		})
	}
}

// compile makes a limit with $CC or cc.
func (b *bench) compile(ctx context.Context, name string, code []byte) (binary string, err error) {
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	source := filepath.Join(b.dir, name+".c")
	binary = filepath.Join(b.dir, name)
	if err := os.WriteFile(source, code, 0o600); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if text, err := exec.CommandContext(ctx, cc, "-O2", "-o", binary, source).CombinedOutput(); err != nil {
		return "", errors.Join(err, errors.New(strings.TrimSpace(string(text))))
	}
	return binary, nil
}

// take gives a server its turn.
func (b *bench) take(ctx context.Context, s subject, w work) (sample, error) {
	p, err := b.launch(ctx, s)
	if err != nil {
		return sample{}, err
	}
	defer p.stop()
	return p.drive(ctx, w, b.Machine.LoadCore)
}

func (b *bench) launch(ctx context.Context, s subject) (*process, error) {
	addr, err := freeAddr(b.port)
	if err != nil {
		return nil, err
	}
	return launch(ctx, s.argv(addr), addr, b.dir, b.Machine.ServerCore)
}

const (
	memoryRounds = 3   // memory varies less than time, and takes longer
	spare        = 200 // descriptors that are not for connections
)

func (b *bench) compareMemory(ctx context.Context, out io.Writer) error {
	conns, err := b.affordable(b.idle)
	if conns < 1 {
		return err
	}
	why := ""
	if err != nil {
		why = fmt.Sprintf(" (%d were asked for: %v)", b.idle, err)
	}
	rounds := min(b.rounds, memoryRounds)
	fmt.Fprintf(out, "Resident memory of the server per idle connection, after one message on each, %s%s: median (min–max).\n\n",
		plural(rounds, "round"), why)
	for _, s := range b.subjects {
		if !slices.Contains([]string{bareServer, bareGoServer, bareTLSServer}, s.name) { // they keep nothing that a server would
			b.Memory = append(b.Memory, memory{Server: s.name, Label: s.label, Conns: conns})
		}
	}
	if len(b.Memory) == 0 {
		return nil
	}
	for round := range rounds {
		i := 0
		for _, s := range b.subjects {
			if i == len(b.Memory) || b.Memory[i].Server != s.name {
				continue
			}
			bytes, err := b.weigh(ctx, s, conns)
			if err != nil {
				return fmt.Errorf("%s with %d idle connections: %w", s.label, conns, err)
			}
			b.Memory[i].BytesPerConn = append(b.Memory[i].BytesPerConn, bytes)
			i++
			b.say("%d idle connections, round %d of %d: %s %.0f bytes", conns, round+1, rounds, s.label, bytes)
		}
	}
	fmt.Fprintln(out, memoryTable(b.Memory))
	return nil
}

// weigh returns by how many bytes for each connection a server's memory grows.
func (b *bench) weigh(ctx context.Context, s subject, conns int) (bytes float64, err error) {
	p, err := b.launch(ctx, s)
	if err != nil {
		return 0, err
	}
	defer p.stop()
	server, err := netip.ParseAddrPort(p.addr)
	if err != nil {
		return 0, err
	}
	hold := hold
	if b.http {
		hold = holdHTTP
	}
	if b.tls {
		hold = func(server netip.AddrPort, conns, size int) (held, error) {
			return holdTLS(server, conns, size, s.name == httpTLSServer)
		}
	}
	warm, err := hold(server, 50, b.size) // what is set up once is not counted
	if err != nil {
		return 0, p.explain(err)
	}
	defer warm.release()
	before, err := groupResident(p.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	idle, err := hold(server, conns, b.size)
	if err != nil {
		return 0, p.explain(err)
	}
	defer idle.release()
	select {
	case <-time.After(b.turn()): // a server may give back what it does not need
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	after, err := groupResident(p.cmd.Process.Pid)
	return float64(after-before) / float64(conns), err
}

// affordable is how many of so many connections the limit on descriptors allows, and the reason if that is less.
func (b *bench) affordable(conns int) (int, error) {
	limit, err := raiseLimit()
	if err != nil {
		return 0, err
	}
	if most := int(limit) - spare; conns > most {
		return most, fmt.Errorf("the limit on descriptors, ulimit -Hn, is %d", limit)
	}
	return conns, nil
}

// raiseLimit takes as many descriptors as may be had, for the servers too, which inherit the limit.
func raiseLimit() (uint64, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, os.NewSyscallError("getrlimit", err)
	}
	limit.Cur = min(limit.Max, 1<<30)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, os.NewSyscallError("setrlimit", err)
	}
	return limit.Cur, nil
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.progress, format+"\n", args...) }

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func portOf(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

// versionOf is the version of a module that this program was built with, after a blank.
func versionOf(module string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == module {
				return " " + m.Version
			}
		}
	}
	return ""
}
