package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// stuckLog is a pipe that nobody reads, until somebody does.
type stuckLog struct {
	bytes.Buffer
	began, letGo chan struct{}
}

func (l *stuckLog) Write(p []byte) (int, error) {
	select {
	case l.began <- struct{}{}:
	default:
	}
	<-l.letGo
	return l.Buffer.Write(p)
}

// TestJournalNeverWaits: what is too much is left out, in whole lines, and counted.
func TestJournalNeverWaits(t *testing.T) {
	log := &stuckLog{began: make(chan struct{}, 1), letGo: make(chan struct{})}
	j := newJournal(log)
	line := func(i int) string { return fmt.Sprintf("line %010d\n", i) }
	write := func(i int) {
		if n, err := j.Write([]byte(line(i))); n != len(line(i)) || err != nil {
			t.Errorf("Write: %d, %v", n, err)
		}
	}
	write(0)
	<-log.began // now it is stuck with the first
	kept := maxJournalBytes / len(line(0))
	for i := range kept + 3 {
		write(i + 1)
	}
	j.flush(time.Millisecond) // gives up
	close(log.letGo)
	j.flush(patience)
	lines := strings.Split(log.String(), "\n")
	if got, want := len(lines), 1+kept+2; got != want { // one more is what comes after the last end of line
		t.Fatalf("%d lines, want %d", got, want)
	}
	for i, l := range lines[:1+kept] {
		if l+"\n" != line(i) {
			t.Fatalf("line %d is %q", i, l)
		}
	}
	if got, want := lines[1+kept], "(3 lines of the log left out here: nobody read it.)"; got != want {
		t.Errorf("at the end: %q, want %q", got, want)
	}
	write(7)
	j.flush(patience)
	if !strings.HasSuffix(log.String(), ".)\n"+line(7)) {
		t.Error("what comes later is not written")
	}
}
