package poetry

import (
	"context"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Options say what a slow server serves and how. Begin with [DefaultOptions]: a zero NumBytes is refused rather than
// taken for the default, so that a command can hand on what its user wrote. The servers copy Options and do not change
// them; the caller must not change what they point to while a server runs.
type Options struct {
	Source Source // the poem; required

	Port  int    // 0 to 65535; 0 means a free port
	Iface string // the host or address to listen on; empty means localhost

	NumBytes int           // bytes, not characters, in each piece; at least 1
	Delay    time.Duration // the wait after each piece, the last one too; 0 or more
	Jitter   time.Duration // each wait is drawn evenly from Delay-Jitter to Delay+Jitter, and is never below 0; 0 means no jitter

	StallAfter After // sends nothing more after so many bytes, and keeps the connection; zero value: never
	ResetAfter After // resets the connection (RST) after so many bytes; zero value: never

	Connections int // the most clients served at a time; 0 means no limit. The blocking server serves one in any case

	HTTP bool        // the same slow body as the answer to an HTTP/1.1 request, one chunk for each piece of 32 KiB or less
	TLS  *tls.Config // nil means none; secure.SelfSigned makes one for localhost

	// Out is where the server says what it does, in whole lines; nil means nowhere. The blocking server waits for it
	// with each line. The asynchronous one does not: it gathers what Out is too slow for, up to 1 MiB, and then leaves
	// lines out and says how many.
	Out io.Writer

	// Random returns an even number in [0, 1) for the jitter; nil means math/rand/v2. A server with several loops calls
	// it from several goroutines at once.
	Random func() float64
	// Sleep waits for d or until ctx ends, and then returns its error; nil means a real timer. Only the blocking server
	// sleeps: the asynchronous one uses its loop's timers.
	Sleep func(ctx context.Context, d time.Duration) error
	// Now is the clock of the blocking server's deadlines; nil means time.Now. Its connections must agree with it about the time.
	Now func() time.Time
}

// DefaultOptions serves from source on a free port of localhost, 10 bytes every 100 ms.
func DefaultOptions(source Source) Options {
	return Options{Source: source, Iface: "localhost", NumBytes: 10, Delay: 100 * time.Millisecond}
}

// Validate returns nil, or the first thing that is wrong as a [UsageError]. It reads the poem once, so that a file that
// is not there is found before the server listens; an error in reading may be of another type. Safe from any goroutine.
func (o Options) Validate() error {
	switch {
	case o.NumBytes < 1:
		return usageErrorf("A piece of %d bytes is no piece: give num-bytes of 1 or more.", o.NumBytes)
	case o.Delay < 0:
		return usageErrorf("The delay %v is negative: give 0 or more.", o.Delay)
	case o.Jitter < 0:
		return usageErrorf("The jitter %v is negative: give 0 or more.", o.Jitter)
	case o.Port < 0 || o.Port > 65535:
		return usageErrorf("The port %d is out of range: give one from 1 to 65535, or 0 for a free one.", o.Port)
	case !isHost(o.host()):
		return usageErrorf("The iface %q is no host or address: give it without a port, which --port is for.", o.Iface)
	case o.Connections < 0:
		return usageErrorf("A limit of %d connections is negative: give 1 or more, or 0 for no limit.", o.Connections)
	case o.StallAfter.set && o.ResetAfter.set:
		return usageErrorf("A server cannot both stall and reset: give either stall-after or reset-after.")
	case o.TLS != nil && len(o.TLS.Certificates) == 0 && o.TLS.GetCertificate == nil && o.TLS.GetConfigForClient == nil:
		return usageErrorf("The TLS configuration has no certificate: add one, or use a self-signed one.")
	}
	return o.Source.check()
}

// listenAddress is what both servers listen on. An empty Iface would mean every interface to package net; here it
// must not, since a server that nobody asked to be public is on loopback.
func (o Options) listenAddress() string {
	host := o.host()
	if host == "" {
		host = "localhost"
	}
	return net.JoinHostPort(host, strconv.Itoa(o.Port))
}

// host is Iface without the brackets that an IPv6 address has before a port, and that people write out of habit.
func (o Options) host() string {
	if inner, ok := strings.CutPrefix(o.Iface, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			return inner
		}
	}
	return o.Iface
}

// isHost says whether there is no port in it: only an IPv6 address has colons of its own.
func isHost(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil || !strings.Contains(s, ":")
}

func (o Options) random() float64 {
	if o.Random != nil {
		return o.Random()
	}
	return rand.Float64()
}

func (o Options) now() time.Time {
	if o.Now != nil {
		return o.Now()
	}
	return time.Now()
}

func (o Options) sleep(ctx context.Context, d time.Duration) error {
	if o.Sleep != nil {
		return o.Sleep(ctx, d)
	}
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// After is a number of bytes after which something happens. The zero value is never, which is not the same as after
// zero bytes: a server that accepts and says nothing is a good test. It is a flag.Value.
type After struct {
	bytes int
	set   bool
}

// AfterBytes means after n bytes of the poem; 0 means before the first of them.
func AfterBytes(n int) After { return After{bytes: n, set: true} }

// Bytes returns the number, and false if the thing never happens.
func (a After) Bytes() (n int, ok bool) { return a.bytes, a.set }

// String returns the number in decimal, or nothing for never.
func (a After) String() string {
	if !a.set {
		return ""
	}
	return strconv.Itoa(a.bytes)
}

// Set reads a number of bytes of 0 or more. A mistake gives a [UsageError] and leaves the value as it was.
func (a *After) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return usageErrorf("%q is no number of bytes: give 0 or more.", s)
	}
	*a = AfterBytes(n)
	return nil
}
