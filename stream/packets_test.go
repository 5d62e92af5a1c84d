package stream_test

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// echoPackets serves a socket until it is closed.
func echoPackets(t *task.Task, p *stream.Packets) error {
	for {
		in, err := p.Next(t)
		if err != nil {
			return err
		}
		if err := p.WriteTo(t, in.Data, in.From); err != nil {
			return err
		}
	}
}

func TestPackets(t *testing.T) {
	run(t, func(tk *task.Task) error {
		server, err := stream.ListenPackets(tk, "udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		serving := task.Go(tk.Loop(), func(tk *task.Task) (int, error) { return 0, echoPackets(tk, server) })
		client, err := stream.DialPackets(tk, "udp", server.LocalAddr().String())
		if err != nil {
			return err
		}
		buf := make([]byte, 100)
		for i := range 100 {
			want := strings.Repeat("x", i%7)
			if err := client.Write(tk, []byte(want)); err != nil {
				return err
			}
			n, from, err := client.ReadFrom(tk, buf)
			if err != nil || string(buf[:n]) != want || from != client.RemoteAddr() {
				t.Fatalf("%q from %v, %v", buf[:n], from, err)
			}
		}
		_ = server.Close()
		_ = server.Close()
		if _, err := task.Await(tk, serving); !errors.Is(err, rondo.ErrClosed) {
			t.Errorf("the server's end: %v", err)
		}
		// The network's answer, and then an address where somebody is again.
		if err := task.Sleep(tk, 0); err != nil {
			return err
		}
		_ = client.Write(tk, []byte("anybody?"))
		if _, err := client.Read(tk, buf); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Read: %v", err)
		}
		_ = client.Close()
		if _, err := client.Read(tk, buf); !errors.Is(err, rondo.ErrClosed) {
			t.Errorf("Read after Close: %v", err)
		}
		if err := client.Write(tk, nil); !errors.Is(err, rondo.ErrClosed) {
			t.Errorf("Write after Close: %v", err)
		}
		return nil
	})
}

// The inbox is bounded: what comes when it is full is dropped and counted, and what it has stays in its order.
func TestPacketsInbox(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		e := w.Host("a").Engine()
		got := task.Go(e.Loop(), func(tk *task.Task) ([]string, error) {
			p, err := stream.PacketsConfig{Inbox: 10 * (100 + 64)}.Listen(tk, "udp", ":7")
			if err != nil {
				return nil, err
			}
			c, err := stream.DialPackets(tk, "udp", "127.0.0.1:7")
			if err != nil {
				return nil, err
			}
			for i := range 15 {
				_ = c.Write(tk, fmt.Appendf(nil, "%-100d", i))
			}
			if err := task.Sleep(tk, time.Second); err != nil {
				return nil, err
			}
			if p.Dropped() != 5 || p.Buffered() != 10 {
				t.Errorf("%d were dropped, %d are there", p.Dropped(), p.Buffered())
			}
			var all []string
			for p.Buffered() > 0 {
				in, err := p.Next(tk)
				if err != nil {
					return nil, err
				}
				all = append(all, strings.TrimSpace(string(in.Data)))
			}
			_ = c.Write(tk, make([]byte, 5000)) // one is taken whatever its size
			in, err := p.Next(tk)
			if len(in.Data) != 5000 {
				t.Errorf("%d bytes", len(in.Data))
			}
			return all, err
		})
		all, err := got.Wait(t.Context())
		if want := []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}; err != nil || !slices.Equal(all, want) {
			w.Errorf("%q, %v", all, err)
		}
	})
}

// A reader that is cancelled loses nothing, and one at a time reads.
func TestPacketsCancel(t *testing.T) {
	run(t, func(tk *task.Task) error {
		p, err := stream.ListenPackets(tk, "udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer p.Close()
		read := func(tk *task.Task) (string, error) {
			in, err := p.Next(tk)
			return string(in.Data), err
		}
		first := task.Go(tk.Loop(), read)
		settle(tk)
		if _, err := p.Next(tk); !errors.Is(err, stream.ErrBusy) {
			t.Errorf("a second reader: %v", err)
		}
		reason := errors.New("enough")
		first.Cancel(reason)
		if _, err := task.Await(tk, first); !errors.Is(err, reason) {
			t.Errorf("%v", err)
		}
		if err := p.WriteTo(tk, []byte("to myself"), p.LocalAddr()); err != nil {
			return err
		}
		if s, err := read(tk); err != nil || s != "to myself" {
			t.Errorf("%q, %v", s, err)
		}
		return nil
	})
}

// Writers wait for room, in their order, and nothing is lost.
func TestPacketsWait(t *testing.T) {
	path := t.TempDir() + "/s"
	peer, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	_ = peer.SetDeadline(time.Now().Add(rig.Patience))
	const tasks, each = 4, 200
	l := rig.New(t, rondo.Config{}).Loop()
	done := task.Go(l, func(tk *task.Task) (int, error) {
		cfg := stream.PacketsConfig{PacketConfig: rondo.PacketConfig{WriteLimit: 4 * (1000 + 64)}}
		p, err := cfg.Dial(tk, "unixgram", path)
		if err != nil {
			return 0, err
		}
		defer p.Close()
		return 0, task.WithGroup(tk, func(tk *task.Task, g *task.Group) error {
			for i := range tasks {
				g.Go(func(tk *task.Task) error {
					for k := range each {
						if err := p.Write(tk, fmt.Appendf(nil, "%-1000d", i*each+k)); err != nil {
							return err
						}
					}
					return nil
				})
			}
			return nil
		})
	})
	next := [tasks]int{}
	buf := make([]byte, 2000)
	for range tasks * each {
		n, err := peer.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		var number int
		_, _ = fmt.Sscan(string(buf[:n]), &number)
		if i, k := number/each, number%each; k != next[i] {
			t.Fatalf("task %d: %d in place of %d", i, k, next[i])
		}
		next[number/each]++
	}
	rig.Result(t, done)
}

// A shutdown ends reading, and the task has the last word.
func TestPacketsDrain(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	last := make(chan string, 1)
	ready := make(chan struct{})
	task.Go(e.Loop(), func(tk *task.Task) (int, error) {
		p, err := stream.ListenPackets(tk, "udp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		defer p.Close()
		close(ready)
		_, err = p.Next(tk)
		last <- fmt.Sprint(err, ", ", p.WriteTo(tk, []byte("bye"), p.LocalAddr()))
		return 0, nil
	})
	rig.Await(t, ready)
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if s := rig.Await(t, last); s != "rondo: engine closed, <nil>" {
		t.Error(s)
	}
}
