package endpoint

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// side says whose option it is.
type side uint8

const (
	server side = 1 << iota
	client
)

func (s side) String() string {
	if s == server {
		return "server"
	}
	return "client"
}

// option is one that can be given. Its set returns what the value must be, if it is not that.
type option struct {
	name  string
	sides side
	tls   bool // only with TLS
	set   func(o *Options, value string) (must string)
	get   func(o *Options) (value string, given bool)
}

// options are all, in the order in which they are printed.
var options = []option{
	number("backlog", server, func(o *Options) *int { return &o.Backlog }),
	flag("reuseport", server, false, func(o *Options) *bool { return &o.ReusePort }),
	number("maxconns", server, func(o *Options) *int { return &o.MaxConns }),
	number("peraddr", server, func(o *Options) *int { return &o.MaxConnsPerAddr }),
	duration("idle", server, func(o *Options) *time.Duration { return &o.IdleTimeout }),
	duration("lifetime", server, func(o *Options) *time.Duration { return &o.Lifetime }),
	{"trust", server, false, setTrust, getTrust},
	flag("selfsigned", server, true, func(o *Options) *bool { return &o.SelfSigned }),
	duration("timeout", client, func(o *Options) *time.Duration { return &o.Timeout }),
	text("name", client, func(o *Options) *string { return &o.Name }),
	flag("insecure", client, true, func(o *Options) *bool { return &o.Insecure }),
	text("cert", server|client, func(o *Options) *string { return &o.Cert }),
	text("key", server|client, func(o *Options) *string { return &o.Key }),
	text("ca", server|client, func(o *Options) *string { return &o.CA }),
	{"alpn", server | client, true, setALPN, func(o *Options) (string, bool) {
		var words []string
		for _, w := range o.ALPN {
			words = append(words, escape(w, "&,"))
		}
		return strings.Join(words, ","), len(words) > 0
	}},
	{
		"proxy", server | client, false,
		func(o *Options, v string) string {
			if !slices.Contains([]string{"v1", "v2", "any"}, v) {
				return "v1, v2 or any"
			}
			o.Proxy = v
			return ""
		},
		func(o *Options) (string, bool) { return o.Proxy, o.Proxy != "" },
	},
}

// number is an option that is a number above 0.
func number(name string, sides side, field func(*Options) *int) option {
	return option{
		name, sides, false,
		func(o *Options, v string) string {
			n, err := strconv.ParseUint(v, 10, 31)
			if err != nil || n == 0 {
				return "a number above 0"
			}
			*field(o) = int(n)
			return ""
		},
		func(o *Options) (string, bool) { return strconv.Itoa(*field(o)), *field(o) != 0 },
	}
}

// duration is an option that is a time above 0.
func duration(name string, sides side, field func(*Options) *time.Duration) option {
	return option{
		name, sides, false,
		func(o *Options, v string) string {
			d, err := time.ParseDuration(v)
			if err != nil || d <= 0 {
				return "a time above 0, as 2s or 500ms"
			}
			*field(o) = d
			return ""
		},
		func(o *Options) (string, bool) { return field(o).String(), *field(o) != 0 },
	}
}

// flag is an option without a value.
func flag(name string, sides side, tls bool, field func(*Options) *bool) option {
	return option{
		name, sides, tls,
		func(o *Options, v string) string {
			if v != "" {
				return "given without a value"
			}
			*field(o) = true
			return ""
		},
		func(o *Options) (string, bool) { return "", *field(o) },
	}
}

// text is an option of TLS that is a file's name, or a host's.
func text(name string, sides side, field func(*Options) *string) option {
	return option{
		name, sides, true,
		func(o *Options, v string) string {
			v, ok := unescape(v)
			if !ok || v == "" || strings.Contains(v, "\x00") {
				return "a name, in which a percent sign is written as %25"
			}
			*field(o) = v
			return ""
		},
		func(o *Options) (string, bool) { return escape(*field(o), "&"), *field(o) != "" },
	}
}

func setALPN(o *Options, v string) string {
	for word := range strings.SplitSeq(v, ",") {
		word, ok := unescape(word)
		if !ok || word == "" || len(word) > 255 { // RFC 7301, section 3.1
			return "names of protocols, of 255 bytes at the most, with commas between them"
		}
		o.ALPN = append(o.ALPN, word)
	}
	return ""
}

// everybody are all addresses there are.
var everybody = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

func setTrust(o *Options, v string) string {
	for word := range strings.SplitSeq(v, ",") {
		switch p, err := netip.ParsePrefix(word); {
		case word == "unix":
			o.TrustUnix = true
		case word == "any":
			o.TrustUnix = true
			o.Trust = append(o.Trust, everybody...)
		case err == nil:
			o.Trust = append(o.Trust, p.Masked())
		default:
			a, err := netip.ParseAddr(word)
			if err != nil || a.Zone() != "" {
				return "networks (10.0.0.0/8), addresses, unix or any, with commas between them"
			}
			o.Trust = append(o.Trust, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return ""
}

func getTrust(o *Options) (string, bool) {
	var words []string
	for _, p := range o.Trust {
		words = append(words, p.String())
	}
	if o.TrustUnix {
		words = append(words, "unix")
	}
	return strings.Join(words, ","), len(words) > 0
}

// query prints the options that are given.
func (o *Options) query() string {
	var b strings.Builder
	for _, opt := range options {
		value, given := opt.get(o)
		if !given {
			continue
		}
		b.WriteByte("?&"[min(b.Len(), 1)])
		b.WriteString(opt.name)
		if value != "" {
			b.WriteString("=" + value)
		}
	}
	return b.String()
}

// parseOptions reads what follows the question mark.
func (x *Endpoint) parseOptions(how string) (reason string) {
	if how == "" {
		return ""
	}
	var seen []string
	for part := range strings.SplitSeq(how, "&") {
		name, value, _ := strings.Cut(part, "=")
		i := slices.IndexFunc(options, func(o option) bool { return o.name == name })
		switch {
		case i < 0:
			return fmt.Sprintf("there is no option %q: there are %s", name, names())
		case slices.Contains(seen, name):
			return fmt.Sprintf("the option %s is given twice", name)
		}
		seen = append(seen, name)
		if must := options[i].set(&x.Options, value); must != "" {
			return fmt.Sprintf("the option %s must be %s, and is %q", name, must, value)
		}
	}
	return ""
}

// names lists the options.
func names() string {
	var all []string
	for _, o := range options {
		all = append(all, o.name)
	}
	return strings.Join(all, ", ")
}

// check is what is wrong with options together.
func (x *Endpoint) check() (reason string) {
	for _, o := range options {
		if _, given := o.get(&x.Options); given && o.tls && !x.TLS {
			return fmt.Sprintf("the option %s is one of TLS: write tls: or tls+%s: in front", o.name, x.Network)
		}
	}
	o := &x.Options
	switch {
	case o.Key != "" && o.Cert == "":
		return "there is a key without a certificate: cert= is missing"
	case o.Insecure && o.CA != "":
		return "insecure checks nothing, and ca= says what to check: leave one of them out"
	case o.SelfSigned && o.Cert != "":
		return "selfsigned makes a certificate, and cert names one: leave one of them out"
	case (len(o.Trust) > 0 || o.TrustUnix) && o.Proxy == "":
		return "trust= says whose PROXY headers are believed, and proxy= is missing"
	case o.ReusePort && (x.Network == "unix" || x.Network == "systemd" || x.Network == "stdio"):
		return fmt.Sprintf("reuseport is for addresses of TCP, and this is %s", x.Network)
	case o.Backlog != 0 && (x.Network == "systemd" || x.Network == "stdio"):
		return "backlog is for sockets that are opened here"
	case (o.MaxConns != 0 || o.MaxConnsPerAddr != 0) && x.Network == "stdio":
		return "standard input and output are one connection, which maxconns and peraddr cannot limit: leave them out"
	}
	return ""
}

// checkFor refuses options of the other side.
func (x *Endpoint) checkFor(s side) (reason string) {
	for _, o := range options {
		if _, given := o.get(&x.Options); given && o.sides&s == 0 {
			return fmt.Sprintf("the option %s is not for a %s", o.name, s)
		}
	}
	o := &x.Options
	switch {
	case s == server && x.TLS && o.Cert == "" && !o.SelfSigned:
		return "a server of TLS needs a certificate: cert=FILE&key=FILE, or selfsigned for one that is made for this run"
	case s == server && o.Proxy != "" && len(o.Trust) == 0 && !o.TrustUnix:
		return "with proxy= a server must be told whose headers it believes: trust= with the proxies' networks, unix, or any"
	case s == client && o.Proxy == "any":
		return "a client sends one version of the PROXY protocol: proxy=v1 or proxy=v2"
	case s == client && (x.Network == "systemd" || x.Network == "stdio"):
		return fmt.Sprintf("%s: is for servers", x.Network)
	case s == client && x.TLS && x.Network == "unix" && o.Name == "" && !o.Insecure:
		return "a Unix socket has no host: name= must say the name that the server's certificate has, or insecure that it does not matter"
	}
	return ""
}
