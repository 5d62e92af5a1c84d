package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// sample is what one server's turn has found.
type sample struct {
	Messages     int64         `json:"messages"`
	Window       time.Duration `json:"window_ns"`
	ServerRan    time.Duration `json:"server_ran_ns"`
	ServerWaited time.Duration `json:"server_waited_ns"` // something else had its core
	LoadWaited   time.Duration `json:"load_waited_ns"`
	Lost         int64         `json:"lost,omitempty"` // datagrams
	P50          time.Duration `json:"p50_ns"`
	P99          time.Duration `json:"p99_ns"`
}

// cost is processor time of the server per message, in nanoseconds.
func (s sample) cost() float64 { return float64(s.ServerRan) / float64(s.Messages) }

// disturbed is the share of the time in which the server or the load wanted its core and did not have it.
func (s sample) disturbed() float64 {
	return float64(max(s.ServerWaited, s.LoadWaited)) / float64(s.Window)
}

// series is a server's samples, one for each round.
type series struct {
	Server  string   `json:"server"`
	Label   string   `json:"label"`
	Conns   int      `json:"conns"`
	Idle    int      `json:"idle,omitempty"`
	Samples []sample `json:"samples"`
}

func (s series) costs() []float64 {
	out := make([]float64, len(s.Samples))
	for i, one := range s.Samples {
		out[i] = one.cost()
	}
	return out
}

// memory is what idle connections take of a server's memory.
type memory struct {
	Server       string    `json:"server"`
	Label        string    `json:"label"`
	Conns        int       `json:"conns"`
	BytesPerConn []float64 `json:"bytes_per_conn"` // one for each round
}

// machine is where the figures hold.
type machine struct {
	Date       string `json:"date"`
	System     string `json:"system"`
	Go         string `json:"go"`
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	ServerCore int    `json:"server_core"`
	LoadCore   int    `json:"load_core"`
	Siblings   bool   `json:"siblings"` // the two are threads of one core
}

func (m machine) String() string {
	text := fmt.Sprintf("%s, %s, %s, %s, %d cores: the server on %d, the load on %d",
		m.Date, m.System, m.Go, m.CPU, m.Cores, m.ServerCore, m.LoadCore)
	if m.Siblings {
		text += " (threads of one core: expect higher figures)"
	}
	return text
}

// report is all that was found, and what -json writes.
type report struct {
	Machine machine  `json:"machine"`
	Size    int      `json:"size"`
	Echo    []series `json:"echo,omitempty"`
	Pollers []series `json:"pollers,omitempty"`
	UDP     []series `json:"udp,omitempty"`
	HTTP    []series `json:"http,omitempty"`
	Proxies []series `json:"proxies,omitempty"`
	Memory  []memory `json:"memory,omitempty"`
}

func (r report) write(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

const absent = "–" // in place of a figure

// echoTable compares the servers at one number of connections.
func echoTable(all []series, conns int) table {
	var of []series
	for _, s := range all {
		if s.Conns == conns {
			of = append(of, s)
		}
	}
	if has(of, netTLSServer) {
		t := table{head: []string{fmt.Sprintf("%d connections", conns), "× the limit", "× crypto/tls", "ns per message"}}
		for _, s := range of {
			t.add(s.Label, beside(of, s, bareTLSServer), beside(of, s, netTLSServer), spreadOf(s.costs()).format("%.0f"))
		}
		return t
	}
	t := table{head: []string{fmt.Sprintf("%d connections", conns), "× the limit", "× net", "ns per message"}}
	for _, s := range of {
		t.add(s.Label, beside(of, s, bareServer), beside(of, s, netServer), spreadOf(s.costs()).format("%.0f"))
	}
	return t
}

func has(all []series, server string) bool {
	return slices.ContainsFunc(all, func(s series) bool { return s.Server == server })
}

// beside is a server's cost as a ratio to another's.
func beside(all []series, s series, other string) string {
	i := slices.IndexFunc(all, func(o series) bool { return o.Server == other })
	if i < 0 {
		return absent
	}
	return spreadOf(ratios(s.costs(), all[i].costs())).format("%.2f")
}

// memoryTable compares what idle connections take.
func memoryTable(all []memory) table {
	t := table{head: []string{fmt.Sprintf("%d idle connections", all[0].Conns), "× net", "bytes per connection"}}
	i := slices.IndexFunc(all, func(m memory) bool {
		return m.Server == netServer || m.Server == netTLSServer || m.Server == netHTTPServer
	})
	for _, m := range all {
		ratio := absent
		if i >= 0 {
			ratio = spreadOf(ratios(m.BytesPerConn, all[i].BytesPerConn)).format("%.2f")
		}
		t.add(m.Label, ratio, spreadOf(m.BytesPerConn).format("%.0f"))
	}
	return t
}

// pollerTable shows for each poller how the cost of a message grows with the connections that are silent.
func pollerTable(all []series) table {
	var names []string
	var idles []int
	cells := map[string]map[int]string{}
	for _, s := range all {
		if cells[s.Server] == nil {
			cells[s.Server] = map[int]string{}
			names = append(names, s.Server)
		}
		if !slices.Contains(idles, s.Idle) {
			idles = append(idles, s.Idle)
		}
		cells[s.Server][s.Idle] = spreadOf(s.costs()).format("%.0f")
	}
	slices.Sort(idles)
	t := table{head: append([]string{"idle connections"}, names...)}
	for _, idle := range idles {
		row := []string{fmt.Sprint(idle)}
		for _, name := range names {
			cell, ok := cells[name][idle]
			if !ok {
				cell = absent
			}
			row = append(row, cell)
		}
		t.add(row...)
	}
	return t
}

// disturbance is a warning, empty if there is no reason for one.
func disturbance(all []series) string {
	const tolerable = 0.03
	var by []string
	for _, s := range all {
		shares := make([]float64, len(s.Samples))
		for i, one := range s.Samples {
			shares[i] = one.disturbed()
		}
		if m := median(shares); m > tolerable {
			by = append(by, fmt.Sprintf("%s %.0f %%", s.Label, 100*m))
		}
	}
	if len(by) == 0 {
		return ""
	}
	return "Other processes had the cores while the server or the load wanted them, for this share of the time: " +
		strings.Join(slices.Compact(by), ", ") + ". The ratios hold better than the figures; a quiet machine is better still."
}
