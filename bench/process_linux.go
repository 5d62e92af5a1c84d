package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	startTimeout = 10 * time.Second // until a server must listen
	stopTimeout  = 2 * time.Second  // until it is killed
	tick         = 10 * time.Millisecond
)

// process is a running server.
type process struct {
	cmd  *exec.Cmd
	addr string
	log  string // the file that has its output
}

// launch starts a server on a core and waits until it listens. The calling goroutine must be locked to its thread, and
// stay so until the server has been stopped: the server dies with the thread.
func launch(ctx context.Context, argv []string, addr, dir string, core int) (*process, error) {
	if err := isFree(addr); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "server.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &process{cmd: exec.Command(argv[0], argv[1:]...), addr: addr, log: log.Name()}
	p.cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := onCore(core, p.cmd.Start); err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	if err := p.await(ctx); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// isFree fails if somebody else serves the address: the figures would be his.
func isFree(addr string) error {
	if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
		c.Close()
		return fmt.Errorf("%s is not free: something answers there", addr)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("%s is not free: %w", addr, err)
	}
	return ln.Close()
}

// freeAddr is an address on loopback that was free a moment ago.
func freeAddr(port int) (string, error) {
	ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// await returns when the server accepts connections.
func (p *process) await(ctx context.Context) error {
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); time.Sleep(tick) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if pids, err := members(p.cmd.Process.Pid); err != nil || len(pids) == 0 {
			return p.explain(errors.New("the server has ended instead of listening"))
		}
		if c, err := net.DialTimeout("tcp", p.addr, time.Second); err == nil {
			return c.Close()
		}
	}
	return p.explain(fmt.Errorf("the server did not listen on %s within %v", p.addr, startTimeout))
}

// explain adds the last lines of the server's output to an error.
func (p *process) explain(err error) error {
	text, _ := os.ReadFile(p.log)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if last := strings.Join(lines[max(0, len(lines)-5):], "\n\t"); last != "" {
		return fmt.Errorf("%w; its output ends\n\t%s", err, last)
	}
	return err
}

// stop ends the server's processes. Its group's number cannot be given to strangers in between, because the first
// process is waited for last.
func (p *process) stop() {
	group := p.cmd.Process.Pid
	_ = syscall.Kill(-group, syscall.SIGTERM)
	for deadline := time.Now().Add(stopTimeout); time.Now().Before(deadline); time.Sleep(tick) {
		if pids, err := members(group); err == nil && len(pids) == 0 {
			break
		}
	}
	_ = syscall.Kill(-group, syscall.SIGKILL)
	_ = p.cmd.Wait()
}

// work says what the load is to do.
type work struct {
	conns, idle, size int
	turn              time.Duration
	tls               bool
	udp               bool
	http              bool
}

// drive loads the server from another core.
func (p *process) drive(ctx context.Context, w work, core int) (s sample, err error) {
	self, err := os.Executable()
	if err != nil {
		return s, err
	}
	// With poll each of many idle connections takes milliseconds to make.
	ctx, cancel := context.WithTimeout(ctx, w.turn+time.Minute+time.Duration(w.idle)*10*time.Millisecond)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "load",
		"-addr", p.addr,
		"-group", fmt.Sprint(p.cmd.Process.Pid),
		"-conns", fmt.Sprint(w.conns),
		"-idle", fmt.Sprint(w.idle),
		"-size", fmt.Sprint(w.size),
		"-turn", w.turn.String(),
		fmt.Sprintf("-tls=%t", w.tls),
		fmt.Sprintf("-udp=%t", w.udp),
		fmt.Sprintf("-http=%t", w.http))
	var out, why bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &why
	// The load allocates nothing while it measures. With no collector and no preemption nothing interrupts it.
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := onCore(core, cmd.Start); err != nil {
		return s, fmt.Errorf("starting the load: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		if reason := strings.TrimSpace(why.String()); reason != "" {
			err = errors.New(strings.TrimPrefix(reason, "bench: "))
		}
		if ctx.Err() != nil {
			err = fmt.Errorf("the load did not end: %w", ctx.Err())
		}
		return s, p.explain(err)
	}
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		return s, fmt.Errorf("what the load says: %w", err)
	}
	return s, nil
}
