package cli

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a script waits for what must come.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rondo": func() { os.Exit(Main()) }})
}

// TestScripts runs whole commands. Beside what testscript has, scripts can say
//
//	status N COMMAND ARG...         run it, and expect that exit status
//	start NAME COMMAND ARG...       run it in the background
//	choke NAME FIFO COMMAND ARG...  the same, with the FIFO for its output, which is full once it has written (choke_test.go)
//	activate NAME N COMMAND ARG...  the same as start, with N sockets that a service manager would pass
//	await NAME REGEXP [VARIABLE]    wait until its output matches; the first group goes into the variable
//	signal NAME INT|TERM|HUP|USR1   send it a signal
//	finish NAME N                   wait until it has ended, with that status; its output is then in NAME.out, NAME.err
//	timeless FILE                   replace the times in it by TIME
//	hold NAME ADDRESS               open a connection (connections_test.go)
//	say NAME TEXT                   write a line on it, and expect its echo
//	end NAME TEXT                   write it and end that direction, and expect its echo and the end of the other
//	flood NAME                      write until nothing more is taken, and read none of the echo
//	heap NAME BYTES                 write so many, and expect their echo
//	garbage NAME                    write what means nothing, and expect the end
//	drop NAME                       close it
//	lie N ADDRESS                   open N connections with false PROXY headers, one after the other, and expect each one's end
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Values["processes"] = map[string]*process{}
			env.Values["connections"] = map[string]*connection{}
			if name := os.Getenv("RONDO_POLLER"); name != "" {
				env.Setenv("RONDO_POLLER", name)
			}
			// Under the race detector every process would otherwise sleep for a second before it ends.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "hup" { // whoever runs the tests under nohup hands that on
				return runtime.GOOS != "windows" && !signal.Ignored(syscall.SIGHUP), nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": cmdStatus, "start": cmdStart, "await": cmdAwait, "signal": cmdSignal, "finish": cmdFinish,
			"timeless": cmdTimeless, "hold": cmdHold, "say": cmdSay, "end": cmdEnd, "flood": cmdFlood, "drop": cmdDrop,
			"choke": cmdChoke, "activate": cmdActivate, "heap": cmdHeap, "garbage": cmdGarbage, "lie": cmdLie,
		},
	})
}

func need(ts *testscript.TestScript, neg bool, args []string, least int, usage string) {
	if neg || len(args) < least {
		ts.Fatalf("usage: %s", usage)
	}
}

func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "status N COMMAND ARG...")
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// A process runs in the background of a script.
type process struct {
	cmd      *exec.Cmd
	out, err output
	over     chan struct{} // closed when it has ended
}

// An output is what a process has written so far.
type output struct {
	mu      sync.Mutex
	b       bytes.Buffer
	changed chan struct{} // closed when more has come
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.b.Write(p)
}

func (o *output) so(far *[]byte) <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	*far = bytes.Clone(o.b.Bytes())
	return o.changed
}

func cmdStart(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "start NAME COMMAND ARG...")
	start(ts, args[0], nil, args[1:])
}

// cmdActivate starts a command as a service manager does, with so many sockets that listen. It must be "sh -c 'LISTEN_PID=$$ exec ...'".
func cmdActivate(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 3, "activate NAME SOCKETS COMMAND ARG...")
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	var files []*os.File
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		f, err := ln.(*net.TCPListener).File()
		ts.Check(err)
		ts.Check(ln.Close())
		defer f.Close()
		files = append(files, f)
	}
	ts.Setenv("LISTEN_FDS", args[1])
	start(ts, args[0], nil, args[2:], files...)
	ts.Setenv("LISTEN_FDS", "")
}

// start runs a command in the background, with that output or else with one that scripts can await.
func start(ts *testscript.TestScript, name string, out *os.File, args []string, passed ...*os.File) {
	p := &process{cmd: exec.Command(args[0], args[1:]...), over: make(chan struct{})}
	p.out.changed, p.err.changed = make(chan struct{}), make(chan struct{})
	p.cmd.Dir = ts.MkAbs(".")
	p.cmd.Env = append(os.Environ(), "PATH="+ts.Getenv("PATH"), "GORACE="+ts.Getenv("GORACE"), "LISTEN_FDS="+ts.Getenv("LISTEN_FDS"))
	p.cmd.ExtraFiles = passed
	p.cmd.WaitDelay = time.Second // what a shell has started may hold its output, when a script fails
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	if out != nil {
		p.cmd.Stdout = out
	}
	ts.Check(p.cmd.Start())
	go func() {
		_ = p.cmd.Wait() // its state says how it ended
		close(p.over)
	}()
	ts.Value("processes").(map[string]*process)[name] = p
	ts.Defer(func() {
		_ = p.cmd.Process.Kill()
		<-p.over
	})
}

func named(ts *testscript.TestScript, name string) *process {
	p := ts.Value("processes").(map[string]*process)[name]
	if p == nil {
		ts.Fatalf("no process %s was started", name)
	}
	return p
}

func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "await NAME REGEXP [VARIABLE]")
	p := named(ts, args[0])
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	timeout := time.After(patience)
	over := p.over
	for {
		var out, errs []byte
		moreOut, moreErr := p.out.so(&out), p.err.so(&errs)
		match := re.FindSubmatch(out)
		if match == nil {
			match = re.FindSubmatch(errs)
		}
		if match != nil {
			if len(args) > 2 {
				ts.Setenv(args[2], string(match[1]))
			}
			return
		}
		if over == nil {
			ts.Fatalf("%s has ended without it; it said\n%s%s", args[0], out, errs)
		}
		select {
		case <-moreOut:
		case <-moreErr:
		case <-over:
			over = nil // one last look: all that it said has come now
		case <-timeout:
			ts.Fatalf("%s did not say it, only\n%s%s", args[0], out, errs)
		}
	}
}

func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "signal NAME INT|TERM|HUP|USR1")
	signals := map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP}
	for _, s := range statsSignals {
		signals["USR1"] = s
	}
	ts.Check(named(ts, args[0]).cmd.Process.Signal(signals[args[1]]))
}

func cmdFinish(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "finish NAME N")
	p := named(ts, args[0])
	select {
	case <-p.over:
	case <-time.After(patience):
		ts.Fatalf("%s has not ended", args[0])
	}
	var out, errs []byte
	p.out.so(&out)
	p.err.so(&errs)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".out"), out, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".err"), errs, 0o600))
	if got := fmt.Sprint(p.cmd.ProcessState.ExitCode()); got != args[1] {
		ts.Fatalf("%s has ended with %v, want status %s; it said\n%s%s", args[0], p.cmd.ProcessState, args[1], out, errs)
	}
}

var times = regexp.MustCompile(`\b\d+:\d\d:\d\d(\.\d{6})?\b`)

func cmdTimeless(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1, "timeless FILE")
	text := ts.ReadFile(args[0])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), times.ReplaceAll([]byte(text), []byte("TIME")), 0o600))
}
