package endpoint

import (
	"net/netip"
	"strings"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/proxied"
	"github.com/rondo-go/rondo/proxyproto"
)

// wrapper goes round what makes protocols: rondo.ListenConfig.Wrap.
type wrapper = func(accept func() rondo.Protocol) func() rondo.Protocol

// versions are those of the PROXY protocol that the option proxy names.
var versions = map[string]proxied.Versions{"v1": proxied.V1, "v2": proxied.V2, "any": proxied.Any}

func version(s string) string {
	if _, ok := versions[s]; !ok {
		return "give v1, v2 or any"
	}
	return ""
}

func trusted(s string) string {
	if _, _, ok := parseTrust(s); !ok {
		return "give networks like 10.0.0.0/8, addresses, unix or any, with commas between them"
	}
	return ""
}

// parseTrust reads who the proxies are.
func parseTrust(s string) (networks []netip.Prefix, unix, ok bool) {
	for word := range strings.SplitSeq(s, ",") {
		if word == "unix" || word == "any" {
			unix = true
			if word == "any" {
				networks = append(networks, netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0"))
			}
			continue
		}
		network, err := netip.ParsePrefix(word)
		if err != nil {
			one, err := netip.ParseAddr(word)
			if err != nil || one.Zone() != "" {
				return nil, false, false
			}
			network = netip.PrefixFrom(one, one.BitLen())
		}
		networks = append(networks, network)
	}
	return networks, unix, true
}

// checkProxy is what is wrong with proxy and trust together, for this purpose.
func (e Endpoint) checkProxy(listen bool) string {
	switch {
	case listen && e.has("proxy") && !e.has("trust"):
		return "a PROXY header can name anybody: say by trust who the proxies are"
	case !listen && e.options.Get("proxy") == "any":
		return "the option proxy: a client sends one version, v1 or v2"
	}
	return ""
}

// expectProxy has connections begin with a PROXY header, before what wrap adds.
func (e Endpoint) expectProxy(wrap wrapper) wrapper {
	if !e.has("proxy") {
		return wrap
	}
	cfg := proxied.Config{Versions: versions[e.options.Get("proxy")]}
	cfg.Trust, cfg.TrustUnix, _ = parseTrust(e.options.Get("trust")) // Parse has looked
	return func(accept func() rondo.Protocol) func() rondo.Protocol {
		if wrap != nil {
			accept = wrap(accept)
		}
		return cfg.Server(accept)
	}
}

// sendProxy has a connection begin with a PROXY header: what its protocol says, or who has connected.
func (e Endpoint) sendProxy(d *rondo.Dialer, p rondo.Protocol) {
	if !e.has("proxy") {
		return
	}
	v := int(versions[e.options.Get("proxy")])
	d.Wrap = proxied.Send(func(c *rondo.Conn) proxyproto.Header {
		if a, ok := p.(proxied.Announcer); ok {
			return a.ProxyHeader(v)
		}
		return proxied.Own(c, v)
	})
}
