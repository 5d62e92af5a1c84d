package frame_test

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"strings"
)

// A reference says what a framing must make of a whole stream: the frames, and what comes of the bytes behind the last of them. It is
// written to be obviously right, and slow.
type reference func(data []byte) (frames [][]byte, rest outcome)

type outcome string

const (
	more   outcome = "waits for more"
	limit  outcome = "is over the limit"
	syntax outcome = "is no frame"
)

// one makes a reference of what finds the first frame: its bytes, and those with what is around it.
func one(first func(data []byte) (frame []byte, whole int, rest outcome)) reference {
	return func(data []byte) (frames [][]byte, rest outcome) {
		for {
			frame, whole, rest := first(data)
			if rest != "" {
				return frames, rest
			}
			frames = append(frames, frame)
			data = data[whole:]
		}
	}
}

func referenceLines(most int) reference {
	return one(func(data []byte) ([]byte, int, outcome) {
		before, _, found := bytes.Cut(data, []byte("\n"))
		line := bytes.TrimSuffix(before, []byte("\r"))
		switch {
		case len(line) > most:
			return nil, 0, limit
		case !found:
			return nil, 0, more
		}
		return line, len(before) + 1, ""
	})
}

func referenceDelimited(delimiter string, most int) reference {
	return one(func(data []byte) ([]byte, int, outcome) {
		for i := 0; i <= most; i++ {
			if strings.HasPrefix(string(data[i:]), delimiter) {
				return data[:i], i + len(delimiter), ""
			}
			if i == len(data) {
				return nil, 0, more
			}
		}
		for i := 0; i <= most; i++ {
			if strings.HasPrefix(delimiter, string(data[i:])) {
				return nil, 0, more
			}
		}
		return nil, 0, limit
	})
}

func referenceNetstrings(most int) reference {
	return one(func(data []byte) ([]byte, int, outcome) {
		colon := 0
		length := new(big.Int)
		for ; ; colon++ {
			if colon == len(data) {
				return nil, 0, more
			}
			if data[colon] < '0' || data[colon] > '9' {
				break
			}
			if colon == 1 && data[0] == '0' {
				return nil, 0, syntax
			}
			length.SetString(string(data[:colon+1]), 10)
			if length.Cmp(big.NewInt(int64(most))) > 0 {
				return nil, 0, limit
			}
		}
		body := data[colon+1:]
		n := int(length.Int64())
		switch {
		case data[colon] != ':' || colon == 0:
			return nil, 0, syntax
		case len(body) <= n:
			return nil, 0, more
		case body[n] != ',':
			return nil, 0, syntax
		}
		return body[:n], colon + 1 + n + 1, ""
	})
}

func referenceFixed(size int, order binary.ByteOrder, most int) reference {
	return one(func(data []byte) ([]byte, int, outcome) {
		if len(data) < size {
			return nil, 0, more
		}
		var length uint64
		switch size {
		case 1:
			length = uint64(data[0])
		case 2:
			length = uint64(order.Uint16(data))
		case 4:
			length = uint64(order.Uint32(data))
		}
		return referenceBehind(data, size, length, most)
	})
}

func referenceVarints(most int) reference {
	return one(func(data []byte) ([]byte, int, outcome) {
		length, size := binary.Uvarint(data)
		switch {
		case size == 0 && len(data) < binary.MaxVarintLen64:
			return nil, 0, more
		case size <= 0: // the tenth byte says already that it is no number of 64 bits
			return nil, 0, syntax
		case size != len(binary.AppendUvarint(nil, length)):
			return nil, 0, syntax
		}
		return referenceBehind(data, size, length, most)
	})
}

func referenceBehind(data []byte, size int, length uint64, most int) ([]byte, int, outcome) {
	switch body := data[size:]; {
	case length > uint64(most):
		return nil, 0, limit
	case uint64(len(body)) < length:
		return nil, 0, more
	default:
		return body[:length], size + int(length), ""
	}
}
