package poller

import (
	"os"

	"github.com/rondo-go/rondo/internal/sock"
	"golang.org/x/sys/unix"
)

// poll is poll(2): the whole list of descriptors goes to the kernel and comes back each turn, so
// a turn costs what is watched, not what is ready. It has no limit on their number. Unlike
// epoll's, its wait sits in the kernel and holds an operating system thread.
type poll struct {
	sockets
	clock
	*bell

	list   []unix.PollFd // list[0] is the bell
	tokens []uint64      // by place in list
	places []int32       // place in list by descriptor; 0 is none
	next   int           // where the next Wait begins to collect, so that nobody starves
	events []Event
}

func openPoll() (Poller, error) {
	b, err := newBell()
	if err != nil {
		return nil, err
	}
	return &poll{
		clock: newClock(), bell: b,
		list:   []unix.PollFd{{Fd: int32(b.fd), Events: unix.POLLIN}},
		tokens: []uint64{0},
	}, nil
}

func (*poll) Name() string { return "poll" }

func pollFlags(want Interest) int16 {
	var f int16
	if want&Read != 0 {
		f |= unix.POLLIN
	}
	if want&Write != 0 {
		f |= unix.POLLOUT
	}
	return f
}

func (p *poll) Add(fd int, token uint64, want Interest) error {
	if fd < 0 {
		return os.NewSyscallError("poll", unix.EBADF)
	}
	for fd >= len(p.places) {
		p.places = append(p.places, 0)
	}
	if p.places[fd] != 0 {
		return os.NewSyscallError("poll", unix.EEXIST)
	}
	p.places[fd] = int32(len(p.list))
	p.list = append(p.list, unix.PollFd{Fd: int32(fd), Events: pollFlags(want)})
	p.tokens = append(p.tokens, token)
	return nil
}

// place is where fd stands in the list, 0 if it is not watched.
func (p *poll) place(fd int) int {
	if fd < 0 || fd >= len(p.places) {
		return 0
	}
	return int(p.places[fd])
}

func (p *poll) Modify(fd int, token uint64, want Interest) error {
	i := p.place(fd)
	if i == 0 {
		return os.NewSyscallError("poll", unix.ENOENT)
	}
	p.list[i] = unix.PollFd{Fd: int32(fd), Events: pollFlags(want)}
	p.tokens[i] = token
	return nil
}

// Remove puts the last one in the place that becomes free.
func (p *poll) Remove(fd int) error {
	i := p.place(fd)
	if i == 0 {
		return os.NewSyscallError("poll", unix.ENOENT)
	}
	last := len(p.list) - 1
	p.list[i], p.tokens[i] = p.list[last], p.tokens[last]
	if moved := p.list[i].Fd; i != last {
		p.places[max(moved, ^moved)] = int32(i) // a muted one is stored inverted
	}
	p.places[fd] = 0
	p.list, p.tokens = p.list[:last], p.tokens[:last]
	return nil
}

func (p *poll) Close(fd int) error {
	_ = p.Remove(fd) // it may never have been added
	return sock.Close(fd)
}

func (p *poll) Reset(fd int) error {
	_ = p.Remove(fd)
	return sock.Reset(fd)
}

func (p *poll) Wait(until int64) ([]Event, error) {
	n, err := unix.Ppoll(p.list, p.timeout(p.Now(), until), nil)
	if err != nil && err != unix.EINTR {
		return nil, os.NewSyscallError("poll", err)
	}
	p.events = p.events[:0]
	if n <= 0 {
		return p.events, nil
	}
	if p.list[0].Revents != 0 {
		p.answer()
	}
	p.next %= len(p.list)
	for range p.list {
		if len(p.events) == MaxEvents {
			break
		}
		p.collect(p.next)
		if p.next++; p.next == len(p.list) {
			p.next = 0
		}
	}
	return p.events, nil
}

func (p *poll) collect(i int) {
	f := &p.list[i]
	if i == 0 || f.Revents == 0 {
		return
	}
	e := Event{Token: p.tokens[i]}
	if f.Revents&(unix.POLLIN|unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0 {
		e.Ready |= Readable
	}
	if f.Revents&(unix.POLLOUT|unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0 {
		e.Ready |= Writable
	}
	if f.Revents&unix.POLLERR != 0 {
		e.Ready |= Failed
	}
	if f.Events == 0 {
		// Errors and hang-ups are reported wanted or not, each turn anew: the contract says
		// once. The kernel passes over negative descriptors.
		f.Fd, f.Revents = ^f.Fd, 0
	}
	p.events = append(p.events, e)
}
