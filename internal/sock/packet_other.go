//go:build !unix

package sock

// packetHeaders would be what the kernel is given.
type packetHeaders struct{}

func (*packetHeaders) lay(*PacketBuffer) {}
