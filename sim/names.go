package sim

import (
	"fmt"
	"net/netip"
	"slices"
)

// SetName has a name looked up as these addresses, in this order, on every host: those of several hosts, or several of one (see [Host.AddAddr]). Nobody need have
// them: to connect to such an address finds no route. It takes the place of a host's own name, and of an earlier SetName; without addresses the name is
// one that does not exist.
func (w *World) SetName(name string, addrs ...netip.Addr) {
	w.names[plainName(name)] = slices.Clone(addrs)
}

// AddAddr gives the host one more address at which it can be reached, of IPv4 or IPv6. What the host itself connects comes from its first. It panics if another host has it.
func (h *Host) AddAddr(ip netip.Addr) {
	ip = ip.Unmap()
	if other := h.w.hostAt(ip); other != nil && other != h || !ip.IsValid() || ip.IsLoopback() || ip.IsUnspecified() {
		panic(fmt.Sprintf("sim: Host.AddAddr cannot give %v to host %s: it is no address of a host, or another's", ip, h.name))
	}
	h.w.addrs[ip] = h
}

// suited are the addresses of the family that network is, "ip" being both.
func suited(addrs []netip.Addr, network string, missing error) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, a := range addrs {
		if network == "ip" || a.Unmap().Is4() == (network == "ip4") {
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		return nil, missing
	}
	return out, nil
}
