//go:build linux

package simtest

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// What follows is shown in docs/guide/datagrams.md, as it is.

// store keeps the files of services that are started anew, as a service manager does (sd_notify(3), FDSTORE).
type store struct {
	kept map[string][]*os.File
}

func (*store) Opened(*rondo.PacketConn)                       {}
func (*store) PacketReceived(*rondo.PacketConn, rondo.Packet) {} // of UDP
func (s *store) Closed(*rondo.PacketConn, error) {
	for _, files := range s.kept {
		for _, f := range files {
			_ = f.Close()
		}
	}
}

func (s *store) UnixPacketReceived(_ *rondo.PacketConn, p rondo.UnixPacket) (taken int) {
	name, ok := strings.CutPrefix(string(p.Data), "FDSTORE=1\nFDNAME=")
	if !ok || p.FilesLost || p.Sender == nil || p.Sender.UID != os.Getuid() {
		return 0 // which closes them
	}
	s.kept[name] = append(s.kept[name], p.Files...)
	return len(p.Files)
}

// So far the guide.

func TestStore(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	s := &store{kept: map[string][]*os.File{}}
	pl, err := rondo.PacketConfig{Credentials: true}.Listen(e.Engine, "unixgram", filepath.Join(t.TempDir(), "notify"), func() rondo.PacketProtocol { return s })
	if err != nil {
		t.Fatal(err)
	}
	service, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "service"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	r, w := rig.Pipe(t)
	for _, text := range []string{"READY=1", "FDSTORE=1\nFDNAME=log"} {
		if _, _, err := service.WriteMsgUnix([]byte(text), syscall.UnixRights(int(w.Fd())), pl.Addr().(*net.UnixAddr)); err != nil {
			t.Fatal(err)
		}
	}
	_ = w.Close() // the service has ended
	loop := pl.Handle().Loop()
	rig.Eventually(t, "a file is kept", func() (kept bool) {
		rig.On(t, loop, func() { kept = len(s.kept["log"]) == 1 })
		return kept
	})
	rig.On(t, loop, func() {
		if _, err := s.kept["log"][0].WriteString("I was here"); err != nil {
			t.Error(err)
		}
	})
	_ = pl.Close()
	if text, err := io.ReadAll(r); string(text) != "I was here" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}
