package poetry

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	ms = time.Millisecond
	us = time.Microsecond
)

// measured is a report as a client of that mode would have measured it, from servers that send a piece every pace.
func measured(mode Mode, pace time.Duration, pieces ...int) *Report {
	r := &Report{Mode: mode, Began: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)}
	var now time.Duration
	for i, n := range pieces {
		f := Fetch{Task: i + 1, Address: fmt.Sprintf("127.0.0.1:%d", 10000+i), Start: now, Connected: now + 100*us, FirstByte: Never}
		at := now + 200*us + time.Duration(i)*10*us
		for range n {
			f.Pieces = append(f.Pieces, Piece{at, 10})
			f.Bytes += 10
			at += pace
		}
		if n > 0 {
			f.FirstByte = f.Pieces[0].At
		}
		f.End = at
		if mode == ModeBlocking {
			now = at
		}
		r.Tasks = append(r.Tasks, f)
	}
	return r
}

// failing makes the second task of a report fail, at its last piece.
func failing(r *Report) *Report {
	f := &r.Tasks[1]
	f.Err = &Failure{Address: f.Address, Bytes: f.Bytes, Reason: ErrReset, connected: true}
	return r
}

func TestWriteText(t *testing.T) {
	blocking := measured(ModeBlocking, 1, 0, 0, 0)
	for i, f := range []Fetch{
		{Bytes: 3003, End: 10126361 * us},
		{Bytes: 623, Start: 11 * time.Second, End: 11*time.Second + 6321777*us},
		{Bytes: 653, Start: 20 * time.Second, End: 20*time.Second + 6617523*us},
	} {
		f.Task, f.Address = i+1, blocking.Tasks[i].Address
		blocking.Tasks[i] = f
	}
	for _, tt := range []struct {
		report *Report
		want   string
	}{
		{blocking, `Task 1: get poetry from: 127.0.0.1:10000
Task 1: got 3003 bytes of poetry from 127.0.0.1:10000 in 0:00:10.126361
Task 2: get poetry from: 127.0.0.1:10001
Task 2: got 623 bytes of poetry from 127.0.0.1:10001 in 0:00:06.321777
Task 3: get poetry from: 127.0.0.1:10002
Task 3: got 653 bytes of poetry from 127.0.0.1:10002 in 0:00:06.617523
Got 3 poems in 0:00:23.065661
`},
		{measured(ModeAsync, 100*ms, 2, 1), `Task 1: got 10 bytes of poetry from 127.0.0.1:10000
Task 2: got 10 bytes of poetry from 127.0.0.1:10001
Task 1: got 10 bytes of poetry from 127.0.0.1:10000
Task 2 finished
Task 1 finished
Task 1: 20 bytes of poetry
Task 2: 10 bytes of poetry
Got 2 poems in 0:00:00.200200
`},
		{failing(measured(ModeThreads, 100*ms, 1, 2)), `Task 1: got 10 bytes of poetry from 127.0.0.1:10000
Task 2: got 10 bytes of poetry from 127.0.0.1:10001
Task 1 finished
Task 2: got 10 bytes of poetry from 127.0.0.1:10001
Task 2 failed: 127.0.0.1:10001 reset the connection after 20 bytes.
Task 1: 10 bytes of poetry
Got 1 poem in 0:00:00.200210
`},
		{failing(measured(ModeBlocking, 100*ms, 1, 2)), `Task 1: get poetry from: 127.0.0.1:10000
Task 1: got 10 bytes of poetry from 127.0.0.1:10000 in 0:00:00.100200
Task 2: get poetry from: 127.0.0.1:10001
Task 2 failed: 127.0.0.1:10001 reset the connection after 20 bytes.
Got 1 poem in 0:00:00.300410
`},
	} {
		var b strings.Builder
		if err := WriteText(&b, tt.report); err != nil || b.String() != tt.want {
			t.Errorf("%v\n%s\nwant\n%s", err, b.String(), tt.want)
		}
	}
}

// TestJSON reads a report back, and holds the field names to what is documented.
func TestJSON(t *testing.T) {
	r := failing(measured(ModeAsync, 100*ms, 2, 1))
	first, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(first, &back); err != nil {
		t.Fatal(err)
	}
	second, err := json.Marshal(&back)
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("%v\n%s\nbecame\n%s", err, first, second)
	}
	want := `{"mode":"async","began":"2026-01-02T15:04:05Z","total_us":200200,"poems":1,"failed":1,"bytes":30,"tasks":[` +
		`{"task":1,"address":"127.0.0.1:10000","bytes":20,"error":null,"start_us":0,"connected_us":100,"first_byte_us":200,"end_us":200200,` +
		`"pieces":[{"at_us":200,"bytes":10},{"at_us":100200,"bytes":10}]},`
	if !strings.HasPrefix(string(first), want) {
		t.Errorf("got  %s\nwant %s…", first, want)
	}
}

func TestRecorderIsDeterministic(t *testing.T) {
	var at time.Duration
	began := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	c := Client{Now: func() time.Time {
		defer func() { at += 1500 * time.Nanosecond }()
		return began.Add(at)
	}}
	r := c.NewRecorder(ModeAsync, []Address{{Host: "127.0.0.1", Port: 10000}})
	r.Start(1)
	r.Connected(1)
	if err := r.Data(1, []byte("poem")); err != nil {
		t.Fatal(err)
	}
	r.End(1, nil)
	f := r.Report().Tasks[0]
	if f.Start != us || f.Connected != 3*us || f.FirstByte != 4*us || f.End != 6*us || string(f.Poem) != "poem" {
		t.Errorf("recorded %+v", f)
	}
}

func golden(t *testing.T, name string, draw func(io.Writer) error) {
	t.Helper()
	var b bytes.Buffer
	if err := draw(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(b.Bytes(), want) {
		t.Errorf("%s is not what is drawn (%v); go test -run %s -update writes it anew. Drawn:\n%s", path, err, t.Name(), b.Bytes())
	}
}
