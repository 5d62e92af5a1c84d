package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The formats of proc(5), as functions of their text.

// usage is what the scheduler has counted.
type usage struct {
	ran    time.Duration // on a processor
	waited time.Duration // runnable, while something else had the processor
}

func (u usage) plus(v usage) usage  { return usage{u.ran + v.ran, u.waited + v.waited} }
func (u usage) minus(v usage) usage { return usage{u.ran - v.ran, u.waited - v.waited} }

// parseSchedstat reads /proc/PID/task/TID/schedstat: nanoseconds run, nanoseconds waited, number of time slices.
// It is in nanoseconds where the better-known stat counts in ticks of ten milliseconds.
func parseSchedstat(text string) (usage, error) {
	fields := strings.Fields(text)
	if len(fields) < 2 {
		return usage{}, fmt.Errorf("schedstat %q: want three numbers", text)
	}
	ran, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return usage{}, fmt.Errorf("schedstat %q: %w", text, err)
	}
	waited, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return usage{}, fmt.Errorf("schedstat %q: %w", text, err)
	}
	return usage{time.Duration(ran), time.Duration(waited)}, nil
}

// parseStat reads a process's state and group from /proc/PID/stat. The name before them is in brackets and may hold
// brackets and blanks of its own.
func parseStat(text string) (state byte, group int, err error) {
	rest := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(rest) < 3 || len(rest[0]) != 1 {
		return 0, 0, fmt.Errorf("stat %q: too short", text)
	}
	group, err = strconv.Atoi(rest[2])
	if err != nil {
		return 0, 0, fmt.Errorf("stat %q: %w", text, err)
	}
	return rest[0][0], group, nil
}

// parseResident reads the bytes of resident memory from /proc/PID/status.
func parseResident(text string) (int64, error) {
	value, ok := field(text, "VmRSS")
	if !ok {
		return 0, fmt.Errorf("status has no VmRSS")
	}
	kib, err := strconv.ParseInt(strings.TrimSuffix(value, " kB"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("status: VmRSS %q: %w", value, err)
	}
	return kib << 10, nil
}

// field finds the first "name: value" line, as status and cpuinfo have them.
func field(text, name string) (value string, ok bool) {
	for line := range strings.Lines(text) {
		key, value, found := strings.Cut(line, ":")
		if found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}

// parseList reads a list of processors such as "0,4-6".
func parseList(text string) (cpus []int, err error) {
	for part := range strings.SplitSeq(strings.TrimSpace(text), ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		if err != nil {
			return nil, fmt.Errorf("list of processors %q: %w", text, err)
		}
		to, err := strconv.Atoi(last)
		if err != nil {
			return nil, fmt.Errorf("list of processors %q: %w", text, err)
		}
		for cpu := from; cpu <= to; cpu++ {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}
