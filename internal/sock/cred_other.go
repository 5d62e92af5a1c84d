//go:build dragonfly || netbsd || openbsd

package sock

import "errors"

// PeerCredentials says who is at the other end of a Unix socket.
func PeerCredentials(int) (Credentials, error) { return Credentials{}, errors.ErrUnsupported }
