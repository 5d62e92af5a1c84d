//go:build unix

package sock_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rondo-go/rondo/internal/sock"
)

// closed closes a descriptor when the test ends.
func closed(t *testing.T, fd int) int {
	t.Helper()
	t.Cleanup(func() { _ = sock.Close(fd) })
	return fd
}

func listen(t *testing.T, addr net.Addr, o sock.Options) int {
	t.Helper()
	fd, err := sock.Listen(addr, o)
	if err != nil {
		t.Fatalf("Listen(%v): %v", addr, err)
	}
	return closed(t, fd)
}

// connect connects to a listener at an address of its, and returns both ends and who Accept says it is.
func connect(t *testing.T, listener int, remote, local net.Addr) (client, server int, peer netip.AddrPort) {
	t.Helper()
	client, err := sock.Connect(remote, local)
	if err != nil && !bare(err, syscall.EINPROGRESS) {
		t.Fatalf("Connect(%v, %v): %v", remote, local, err)
	}
	closed(t, client)
	ready(t, listener, false)
	server, peer, err = sock.Accept(listener)
	if err != nil {
		t.Fatalf("Accept: %v", err)
	}
	closed(t, server)
	ready(t, client, true)
	return client, server, peer
}

func pair(t *testing.T) (client, server int) {
	t.Helper()
	l := listen(t, loopback(0), sock.Options{})
	client, server, _ = connect(t, l, sock.LocalAddr(l), nil)
	return client, server
}

func loopback(port int) *net.TCPAddr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port} }

func haveIPv6(t *testing.T) bool {
	t.Helper()
	fd, err := sock.Listen(&net.TCPAddr{IP: net.IPv6loopback}, sock.Options{})
	if err != nil {
		return false
	}
	return sock.Close(fd) == nil
}

// dir is a temporary directory whose name leaves room for a socket's: 107 bytes are the limit.
func dir(t *testing.T) string {
	t.Helper()
	name, err := os.MkdirTemp("", "rondo") //nolint:usetesting // t.TempDir's names are too long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(name) })
	return name
}

// TestAddresses listens at one address, connects to another, and looks at what each of the four
// ends is called. PORT stands for the listener's port.
func TestAddresses(t *testing.T) {
	v6 := haveIPv6(t)
	any6, any4 := "[::]:PORT", "0.0.0.0:PORT"
	wildcard := any4
	if v6 {
		wildcard = any6
	}
	for _, test := range []struct {
		name      string
		listen    net.IP
		connect   net.IP
		listening string
		connected string // as both sides call the listener's end
		needs6    bool
	}{
		{"v4", net.IPv4(127, 0, 0, 1), net.IPv4(127, 0, 0, 1), "127.0.0.1:PORT", "127.0.0.1:PORT", false},
		{"v4 in 4 bytes", net.IP{127, 0, 0, 1}, net.IP{127, 0, 0, 1}, "127.0.0.1:PORT", "127.0.0.1:PORT", false},
		{"v4 in 16 bytes", net.ParseIP("::ffff:127.0.0.1"), net.ParseIP("::ffff:127.0.0.1"), "127.0.0.1:PORT", "127.0.0.1:PORT", false},
		{"v4 wildcard", net.IPv4zero, net.IPv4(127, 0, 0, 1), any4, "127.0.0.1:PORT", false},
		{"v6", net.IPv6loopback, net.IPv6loopback, "[::1]:PORT", "[::1]:PORT", true},
		{"no address, v4 peer", nil, net.IPv4(127, 0, 0, 1), wildcard, "127.0.0.1:PORT", false},
		{"no address, v6 peer", nil, net.IPv6loopback, wildcard, "[::1]:PORT", true},
		{"v6 wildcard, v4 peer", net.IPv6unspecified, net.IPv4(127, 0, 0, 1), wildcard, "127.0.0.1:PORT", false},
		{"v6 wildcard, v6 peer", net.IPv6unspecified, net.IPv6loopback, wildcard, "[::1]:PORT", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.needs6 && !v6 {
				t.Skip("this machine has no IPv6")
			}
			l := listen(t, &net.TCPAddr{IP: test.listen}, sock.Options{})
			port := sock.LocalAddr(l).(*net.TCPAddr).Port
			if port == 0 {
				t.Fatal("port 0 was not replaced by a free one")
			}
			client, server, peer := connect(t, l, &net.TCPAddr{IP: test.connect, Port: port}, nil)
			expand := func(s string) string { return strings.ReplaceAll(s, "PORT", strconv.Itoa(port)) }
			same(t, "listener", sock.LocalAddr(l), expand(test.listening))
			same(t, "client's peer", sock.PeerAddr(client), expand(test.connected))
			same(t, "server's own", sock.LocalAddr(server), expand(test.connected))
			same(t, "server's peer", sock.PeerAddr(server), sock.LocalAddr(client).String())
			if peer.String() != sock.LocalAddr(client).String() || peer.Addr().Is4In6() {
				t.Errorf("Accept says the peer is %v, the client says %v", peer, sock.LocalAddr(client))
			}
		})
	}
}

func same(t *testing.T, what string, got net.Addr, want string) {
	t.Helper()
	if got == nil || got.String() != want {
		t.Errorf("the %s address is %v, want %s", what, got, want)
	}
}

// TestZone needs an interface with a link-local address.
func TestZone(t *testing.T) {
	ip, zone := linkLocal(t)
	for _, name := range []string{zone.Name, strconv.Itoa(zone.Index)} { // by name and by number
		l := listen(t, &net.TCPAddr{IP: ip, Zone: name}, sock.Options{})
		addr := sock.LocalAddr(l).(*net.TCPAddr)
		if addr.Zone != zone.Name || !addr.IP.Equal(ip) {
			t.Fatalf("listening at %v, want %v%%%s", addr, ip, zone.Name)
		}
		client, server, peer := connect(t, l, addr, nil)
		same(t, "server's peer", sock.PeerAddr(server), sock.LocalAddr(client).String())
		if peer.Addr().Zone() != zone.Name {
			t.Errorf("Accept says %v, without the zone %s", peer, zone.Name)
		}
	}
}

func linkLocal(t *testing.T) (net.IP, net.Interface) {
	t.Helper()
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Skip("this machine has no network interfaces: ", err)
	}
	for _, i := range interfaces {
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() == nil && n.IP.IsLinkLocalUnicast() {
				return n.IP, i
			}
		}
	}
	t.Skip("no interface here has a link-local IPv6 address")
	return nil, net.Interface{}
}

func TestUnixAddresses(t *testing.T) {
	name := filepath.Join(dir(t), "s")
	addr := &net.UnixAddr{Name: name, Net: "unix"}
	l := listen(t, addr, sock.Options{})
	client, server, peer := connect(t, l, addr, nil)
	same(t, "listener", sock.LocalAddr(l), name)
	same(t, "client's peer", sock.PeerAddr(client), name)
	same(t, "server's own", sock.LocalAddr(server), name)
	if got := sock.PeerAddr(server); got == nil || got.Network() != "unix" {
		t.Errorf("the address of a client without one is %#v", got)
	}
	if peer.IsValid() {
		t.Errorf("Accept says the peer of a Unix socket is %v, want the zero AddrPort", peer)
	}

	own := &net.UnixAddr{Name: name + "c", Net: "unix"}
	client, server, peer = connect(t, l, addr, own)
	same(t, "client's own", sock.LocalAddr(client), own.Name)
	same(t, "server's peer", sock.PeerAddr(server), own.Name)
	if peer.IsValid() {
		t.Errorf("Accept says the peer of a Unix socket is %v, want the zero AddrPort", peer)
	}
}

func TestConnectFrom(t *testing.T) {
	l := listen(t, loopback(0), sock.Options{})
	remote := sock.LocalAddr(l)
	if runtime.GOOS == "linux" { // where all of 127.0.0.0/8 is the machine's own
		client, server, _ := connect(t, l, remote, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)})
		if ip := sock.LocalAddr(client).(*net.TCPAddr).IP; ip.String() != "127.0.0.9" {
			t.Errorf("connected from %v, not from 127.0.0.9", ip)
		}
		same(t, "server's peer", sock.PeerAddr(server), sock.LocalAddr(client).String())
	}

	port := 0
	for range 10 { // somebody else may take the port between the two
		free := listen(t, loopback(0), sock.Options{})
		port = sock.LocalAddr(free).(*net.TCPAddr).Port
		if err := sock.Close(free); err != nil {
			t.Fatal(err)
		}
		fd, err := sock.Connect(remote, &net.TCPAddr{Port: port}) // a port, no matter which address
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if fd < 0 {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = sock.Close(fd) })
		same(t, "client's own", sock.LocalAddr(fd), loopback(port).String())
		break
	}

	_, err := sock.Connect(remote, &net.TCPAddr{IP: net.IPv6loopback})
	var families *net.AddrError
	if !errors.As(err, &families) || families.Addr != "[::1]:0" {
		t.Errorf("from IPv6 to IPv4: %v, want an AddrError", err)
	}
	if _, err := sock.Connect(remote, loopback(port)); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("from a port in use: %v, want EADDRINUSE", err)
	}
}
