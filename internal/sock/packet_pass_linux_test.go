package sock

import (
	"net"
	"path/filepath"
	"syscall"
	"testing"
)

// passingPair is a socket that receives, and what sends to it there.
func passingPair(t *testing.T) (fd int, send func(data string, fds ...int)) {
	t.Helper()
	at := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unixgram"}
	fd, err := OpenPacket(PacketOptions{Local: at, Credentials: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = Close(fd) })
	from, err := OpenPacket(PacketOptions{Remote: at})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = Close(from) })
	b := new(PacketBuffer)
	return fd, func(data string, fds ...int) {
		t.Helper()
		p := Packet{Data: []byte(data)}
		if len(fds) > 0 {
			p.Rights = NewRights(fds)
		}
		if n, err := SendPackets(from, b, []Packet{p}); n != 1 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
}

// A process with no room for all descriptors is told so, has those that it had room for, and the bytes; one with room again has the next.
func TestRecvUnixPacketWithoutRoom(t *testing.T) {
	fd, send := passingPair(t)
	send("x", 0, 0, 0, 0, 0)
	send("y", 0)
	room, err := syscall.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	_ = syscall.Close(room) // the lowest that is free
	free := 0               // and how many there will be
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	limit := before
	limit.Cur = uint64(room) + 2
	for n := room; n < int(limit.Cur); n++ {
		if _, _, e := syscall.Syscall(syscall.SYS_FCNTL, uintptr(n), syscall.F_GETFD, 0); e != 0 {
			free++
		}
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	b := new(PacketBuffer)
	u, err := RecvUnixPacket(fd, b, 100)
	if restored := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); restored != nil {
		t.Fatal(restored)
	}
	if err != nil || string(u.Data) != "x" || !u.Lost || len(u.FDs) != free || u.Truncated {
		t.Errorf("%+v, %v; there was room for %d", u, err, free)
	}
	for _, fd := range u.FDs {
		_ = Close(fd)
	}
	u, err = RecvUnixPacket(fd, b, 100)
	if err != nil || string(u.Data) != "y" || u.Lost || len(u.FDs) != 1 {
		t.Errorf("then %+v, %v", u, err)
	}
	for _, fd := range u.FDs {
		_ = Close(fd)
	}
	if _, err := RecvUnixPacket(fd, b, 100); err != syscall.EAGAIN { //nolint:errorlint // bare by the poller's contract
		t.Errorf("and at last %v", err)
	}
}

// As many as Linux passes come whole, with the sender's credentials beside them. A datagram that is received without them leaves nothing behind, and the buffer serves both ways in turn.
func TestRecvUnixPacketMost(t *testing.T) {
	fd, send := passingPair(t)
	fds := make([]int, MaxPassed)
	send("most", fds...)
	send("plain", 0)
	send("long", 0)
	b := new(PacketBuffer)
	u, err := RecvUnixPacket(fd, b, 100)
	if err != nil || u.Lost || len(u.FDs) != MaxPassed || u.Sender == nil || u.Sender.PID != syscall.Getpid() || u.Sender.UID != syscall.Getuid() || u.Sender.GID != syscall.Getgid() {
		t.Errorf("%d descriptors, lost: %v, from %v, %v", len(u.FDs), u.Lost, u.Sender, err)
	}
	for _, fd := range u.FDs {
		_ = Close(fd)
	}
	next, err := syscall.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	_ = syscall.Close(next)
	b.Lay(100)
	b.ask = 1
	packets, err := RecvPackets(fd, b, 100)
	if len(packets) != 1 || string(packets[0].Data) != "plain" || packets[0].Truncated || err != nil {
		t.Errorf("%v, %v", packets, err)
	}
	if again, err := syscall.Dup(0); err != nil || again != next {
		t.Errorf("the next descriptor is %d, not %d (%v)", again, next, err)
	} else {
		_ = syscall.Close(again)
	}
	u, err = RecvUnixPacket(fd, b, 3)
	if err != nil || string(u.Data) != "lon" || !u.Truncated || u.Lost || len(u.FDs) != 1 {
		t.Errorf("%+v, %v", u, err)
	}
	for _, fd := range u.FDs {
		_ = Close(fd)
	}
}
