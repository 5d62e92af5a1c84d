package poetry

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// The names below are a promise: programs read them. New ones may be added, these do not change.

type reportJSON struct {
	Mode     Mode       `json:"mode"`     // "blocking", "threads", "async" or "task"
	Began    time.Time  `json:"began"`    // RFC 3339
	TotalUS  int64      `json:"total_us"` // Report.Total, in microseconds, as are all that end in _us
	Poems    int        `json:"poems"`    // got whole
	Failed   int        `json:"failed"`   // tasks
	Bytes    int        `json:"bytes"`    // of all tasks
	TaskList []taskJSON `json:"tasks"`    // in the order asked for
}

type taskJSON struct {
	Task        int         `json:"task"`    // from 1
	Address     string      `json:"address"` // HOST:PORT
	Bytes       int         `json:"bytes"`   // that arrived
	Error       *string     `json:"error"`   // a sentence, or null
	StartUS     int64       `json:"start_us"`
	ConnectedUS *int64      `json:"connected_us"`  // null if it never was
	FirstByteUS *int64      `json:"first_byte_us"` // null if none came
	EndUS       int64       `json:"end_us"`
	Pieces      []pieceJSON `json:"pieces"`
}

type pieceJSON struct {
	AtUS  int64 `json:"at_us"`
	Bytes int   `json:"bytes"`
}

// MarshalJSON writes the figures of the report, without the poems themselves:
//
//	{"mode": "async", "began": "2026-01-02T15:04:05Z", "total_us": 10133169, "poems": 2, "failed": 0, "bytes": 3626,
//	 "tasks": [{"task": 1, "address": "127.0.0.1:10000", "bytes": 3003, "error": null, "start_us": 0,
//	            "connected_us": 103, "first_byte_us": 204, "end_us": 10133169,
//	            "pieces": [{"at_us": 204, "bytes": 30}, …]}, …]}
//
// Moments are microseconds since the report began; connected_us and first_byte_us are null if they never came.
func (r *Report) MarshalJSON() ([]byte, error) {
	out := reportJSON{
		Mode: r.Mode, Began: r.Began, TotalUS: r.Total().Microseconds(),
		Poems: r.Poems(), Failed: r.Failed(), Bytes: r.Bytes(), TaskList: make([]taskJSON, len(r.Tasks)),
	}
	for i := range r.Tasks {
		f := &r.Tasks[i]
		t := taskJSON{
			Task: f.Task, Address: f.Address, Bytes: f.Bytes, StartUS: f.Start.Microseconds(), EndUS: f.End.Microseconds(),
			ConnectedUS: momentJSON(f.Connected), FirstByteUS: momentJSON(f.FirstByte),
			Pieces: make([]pieceJSON, len(f.Pieces)),
		}
		if f.Err != nil {
			t.Error = new(f.Err.Error())
		}
		for j, p := range f.Pieces {
			t.Pieces[j] = pieceJSON{p.At.Microseconds(), p.Bytes}
		}
		out.TaskList[i] = t
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote, so that a timeline can be drawn again from a saved report. The poems are
// not there, and an error is only its text.
func (r *Report) UnmarshalJSON(data []byte) error {
	var in reportJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("reading a poetry report: %w", err)
	}
	out := Report{Mode: in.Mode, Began: in.Began, Tasks: make([]Fetch, len(in.TaskList))}
	for i, t := range in.TaskList {
		f := Fetch{
			Task: t.Task, Address: t.Address, Bytes: t.Bytes, Start: micros(t.StartUS), End: micros(t.EndUS),
			Connected: momentFromJSON(t.ConnectedUS), FirstByte: momentFromJSON(t.FirstByteUS),
		}
		if t.Error != nil {
			f.Err = errors.New(*t.Error)
		}
		for _, p := range t.Pieces {
			f.Pieces = append(f.Pieces, Piece{micros(p.AtUS), p.Bytes})
		}
		out.Tasks[i] = f
	}
	*r = out
	return nil
}

func micros(us int64) time.Duration { return time.Duration(us) * time.Microsecond }

func momentJSON(d time.Duration) *int64 {
	if d == Never {
		return nil
	}
	return new(d.Microseconds())
}

func momentFromJSON(us *int64) time.Duration {
	if us == nil {
		return Never
	}
	return micros(*us)
}
