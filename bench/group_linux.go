package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// A server is measured with all processes of its group: some have workers.

// members lists the processes of a group that have not ended.
func members(group int) (pids []int, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue // it has ended meanwhile
		}
		if state, g, err := parseStat(string(text)); err == nil && g == group && state != 'Z' && state != 'X' {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// groupUsage adds up the time of all threads of a group.
func groupUsage(group int) (total usage, err error) {
	pids, err := members(group)
	if err != nil {
		return usage{}, err
	}
	if len(pids) == 0 {
		return usage{}, errors.New("the server has ended")
	}
	for _, pid := range pids {
		u, err := processUsage(strconv.Itoa(pid))
		if err != nil {
			return usage{}, err
		}
		total = total.plus(u)
	}
	return total, nil
}

func processUsage(pid string) (total usage, err error) {
	files, err := filepath.Glob(filepath.Join("/proc", pid, "task/*/schedstat"))
	if err != nil {
		return usage{}, err
	}
	if len(files) == 0 {
		return usage{}, fmt.Errorf("process %s has no schedstat: either it has ended, or this kernel was built without CONFIG_SCHED_INFO", pid)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a thread that has ended meanwhile
		}
		if err != nil {
			return usage{}, err
		}
		u, err := parseSchedstat(string(text))
		if err != nil {
			return usage{}, err
		}
		total = total.plus(u)
	}
	return total, nil
}

// groupResident adds up the resident memory of a group, in bytes.
func groupResident(group int) (total int64, err error) {
	pids, err := members(group)
	if err != nil {
		return 0, err
	}
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return 0, err
		}
		n, err := parseResident(string(text))
		if err != nil {
			return 0, err
		}
		total += n
	}
	if total == 0 {
		return 0, errors.New("the server has ended")
	}
	return total, nil
}
