package cli

import (
	"strings"

	"github.com/rondo-go/rondo/poetry"
)

// reach is where a client finds a server: [HOST:]PORT, without a host on 127.0.0.1, or unix:PATH.
type reach struct{ network, address string }

func parseReach(s string) (reach, error) {
	if s = unixWord(s); strings.HasPrefix(s, "unix:") {
		network, address, err := listenOn(s, s)
		return reach{network, address}, err
	}
	a, err := poetry.ParseAddress(s)
	return reach{"tcp", a.String()}, err
}
