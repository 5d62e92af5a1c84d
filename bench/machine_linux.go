package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// survey says where we are and which cores to use; it is an error if there are not two.
func survey() (machine, error) {
	cores, err := allowedCores()
	if err != nil {
		return machine{}, err
	}
	if len(cores) < 2 {
		return machine{}, fmt.Errorf("no figures can be taken on %d core: the server and the load need one each, "+
			"or each message would cost a switch between them", len(cores))
	}
	m := machine{
		Date:       time.Now().Format(time.DateOnly),
		System:     "Linux",
		Go:         runtime.Version() + " " + runtime.GOARCH,
		CPU:        "unknown processor",
		Cores:      len(cores),
		ServerCore: cores[0],
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err == nil {
		m.System = unix.ByteSliceToString(uts.Sysname[:]) + " " + unix.ByteSliceToString(uts.Release[:])
	}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for _, name := range []string{"model name", "Model", "cpu model"} {
			if model, ok := field(string(info), name); ok {
				m.CPU = model
				break
			}
		}
	}
	m.LoadCore, m.Siblings = partner(cores)
	return m, nil
}

// partner is the core for the load: one that does not share its circuits with the first, if there is one.
func partner(cores []int) (core int, siblings bool) {
	text, err := os.ReadFile(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cores[0]))
	if err != nil {
		return cores[1], false
	}
	threads, err := parseList(string(text))
	if err != nil {
		return cores[1], false
	}
	for _, c := range cores[1:] {
		if !slices.Contains(threads, c) {
			return c, false
		}
	}
	return cores[1], true
}

func allowedCores() (cores []int, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	for c := range len(set) * 64 {
		if set.IsSet(c) {
			cores = append(cores, c)
		}
	}
	return cores, nil
}

// onCore runs f, and what f starts, on one core. The caller's goroutine is locked to its thread.
func onCore(core int, f func() error) error {
	var before, only unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	only.Set(core)
	if err := unix.SchedSetaffinity(0, &only); err != nil {
		return os.NewSyscallError("sched_setaffinity", err)
	}
	defer func() { _ = unix.SchedSetaffinity(0, &before) }()
	return f()
}
