package cli

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers for names that begin with "a", says of those with "n" that there are none, and nothing at all to others.
func nameServer(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = conn.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if err := m.Unpack(buf[:n]); err != nil || len(m.Questions) != 1 {
				t.Errorf("a bad question: %v", err)
				continue
			}
			q := m.Questions[0]
			answer := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, Authoritative: true}, Questions: m.Questions}
			switch q.Name.String()[0] {
			case 'a':
				if q.Type == dnsmessage.TypeA {
					answer.Answers = []dnsmessage.Resource{{
						Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60},
						Body:   &dnsmessage.AResource{A: [4]byte{192, 0, 2, q.Name.String()[1] - '0'}},
					}}
				}
			case 'n':
				answer.RCode = dnsmessage.RCodeNameError
			default:
				continue
			}
			packed, err := answer.Pack()
			if err != nil {
				t.Error(err)
				continue
			}
			_, _ = conn.WriteTo(packed, from)
		}
	}()
	return conn.LocalAddr().String()
}

// Hosts that answer, hosts that do not exist, and hosts whose server says nothing: each has its line, in the order asked.
func TestResolve(t *testing.T) {
	args := []string{"resolve", "--server", nameServer(t), "--timeout", "2", "a1.test", "silent.test", "a2.test", "none.test"}
	for range 100 { // more than are looked up at a time
		args = append(args, "a3.test")
	}
	var out, errs bytes.Buffer
	p := &program{out: &out, errs: &errs, clock: wallClock}
	if status := p.run(t.Context(), args); status != exitFailure {
		t.Errorf("status %d", status)
	}
	want := "192.0.2.1\n\n192.0.2.2\n\n" + strings.Repeat("192.0.2.3\n", 100)
	if out.String() != want {
		t.Errorf("it printed\n%s", out.String())
	}
	lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
	if len(lines) != 2 || lines[0] != "silent.test: there was no answer in time" || !strings.HasPrefix(lines[1], "none.test: ") {
		t.Errorf("it complained\n%s", errs.String())
	}
}
