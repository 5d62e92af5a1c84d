package stream_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// operation is a read of some kind, and what it says of input when all of that is there, and then the end.
type operation struct {
	name  string
	read  func(t *task.Task, s *stream.Stream) ([]byte, error)
	model func(input []byte) (got []byte, taken int, err error)
	some  bool // less is right too, but not nothing
}

func makeOperation(kind, n int) operation {
	switch kind % 8 {
	case 0:
		return operation{"Read", func(t *task.Task, s *stream.Stream) ([]byte, error) {
			p := make([]byte, n)
			k, err := s.Read(t, p)
			return p[:k], err
		}, func(input []byte) ([]byte, int, error) { return modelSome(input, n) }, true}
	case 1:
		n++
		return operation{
			"Next", func(t *task.Task, s *stream.Stream) ([]byte, error) { return s.Next(t, n) },
			func(input []byte) ([]byte, int, error) { return modelSome(input, n) }, true,
		}
	case 2:
		return operation{
			"Peek", func(t *task.Task, s *stream.Stream) ([]byte, error) { return s.Peek(t, n) },
			func(input []byte) ([]byte, int, error) {
				if n > len(input) {
					return input, 0, io.EOF
				}
				return input[:n], 0, nil
			}, false,
		}
	case 3:
		return operation{"Discard", func(t *task.Task, s *stream.Stream) ([]byte, error) {
			k, err := s.Discard(t, n)
			return make([]byte, k), err
		}, func(input []byte) ([]byte, int, error) {
			got, taken, err := modelFull(input, n)
			return make([]byte, len(got)), taken, err
		}, false}
	case 4:
		return operation{"ReadFull", func(t *task.Task, s *stream.Stream) ([]byte, error) {
			p := make([]byte, n)
			k, err := s.ReadFull(t, p)
			return p[:k], err
		}, func(input []byte) ([]byte, int, error) { return modelFull(input, n) }, false}
	case 5, 6:
		delimiter := []byte("b\n")[kind%8-5:]
		return operation{
			"ReadUntil", func(t *task.Task, s *stream.Stream) ([]byte, error) { return s.ReadUntil(t, delimiter, n) },
			func(input []byte) ([]byte, int, error) {
				end := bytes.Index(input, delimiter) + len(delimiter)
				if end < len(delimiter) {
					end = len(input) + 1
				}
				switch {
				case end <= len(input) && end <= n:
					return input[:end], end, nil
				case end <= len(input) || len(input) >= n:
					return nil, 0, &stream.LimitError{}
				}
				return nil, 0, modelEnd(input)
			}, false,
		}
	default:
		return operation{
			"ReadLine", func(t *task.Task, s *stream.Stream) ([]byte, error) { return s.ReadLine(t, n) },
			func(input []byte) ([]byte, int, error) {
				line, _, found := bytes.Cut(input, []byte("\n"))
				bare := line
				if found {
					bare = bytes.TrimSuffix(line, []byte("\r"))
				}
				switch {
				case found && len(bare) <= n:
					return bare, len(line) + 1, nil
				case found || len(line) > n+1 || len(line) == n+1 && line[n] != '\r':
					return nil, 0, &stream.LimitError{}
				}
				return nil, 0, modelEnd(input)
			}, false,
		}
	}
}

func modelEnd(input []byte) error {
	if len(input) > 0 {
		return io.ErrUnexpectedEOF
	}
	return io.EOF
}

func modelSome(input []byte, n int) ([]byte, int, error) {
	if len(input) == 0 && n > 0 {
		return nil, 0, io.EOF
	}
	n = min(n, len(input))
	return input[:n], n, nil
}

func modelFull(input []byte, n int) ([]byte, int, error) {
	if n > len(input) {
		return input, len(input), modelEnd(input)
	}
	return input[:n], n, nil
}

// checkReads reads input, which comes in these segments, by these operations, and compares with what the model says.
func checkReads(t *task.Task, input []byte, sizes []int, ops []operation) error {
	s, end, err := fed(t)
	if err != nil {
		return err
	}
	defer end()
	var segments [][]byte
	for left := input; len(left) > 0; {
		n := len(left)
		if len(sizes) > 0 {
			n = max(1, min(sizes[0], n))
			sizes = sizes[1:]
		}
		segments = append(segments, left[:n])
		left = left[n:]
	}
	s.Loop().Defer(func() { deliver(s, segments...) })
	for i, op := range ops {
		got, err := op.read(t, s)
		want, taken, wantErr := op.model(input)
		if op.some && len(got) > 0 && len(got) < len(want) {
			want, taken = want[:len(got)], len(got)
		}
		sameErr := err == wantErr //nolint:errorlint // documented to be bare
		if _, ok := errors.AsType[*stream.LimitError](wantErr); ok {
			_, sameErr = errors.AsType[*stream.LimitError](err)
		}
		if !bytes.Equal(got, want) || !sameErr {
			return fmt.Errorf("operation %d, %s, in %d segments: %s, %w; want %s, %w", i, op.name, len(segments), rig.Short(got), err, rig.Short(want), wantErr)
		}
		input = input[taken:]
	}
	got, err := io.ReadAll(s.IO(t))
	if err != nil || !bytes.Equal(got, input) {
		return fmt.Errorf("what is left: %s, %w; want %s", rig.Short(got), err, rig.Short(input))
	}
	return nil
}

// In whatever segments a short input comes, all reads say the same. All splits are tried.
func TestAllSplits(t *testing.T) {
	scripts := map[string][]operation{
		"line, rest":   {makeOperation(7, 3), makeOperation(7, 4), makeOperation(0, 9)},
		"too long":     {makeOperation(7, 2), makeOperation(7, 1), makeOperation(1, 2), makeOperation(7, 2)},
		"delimiter":    {makeOperation(5, 10), makeOperation(5, 10)},
		"its limit":    {makeOperation(5, 4), makeOperation(5, 3), makeOperation(6, 4), makeOperation(6, 5), makeOperation(6, 99)},
		"peek, full":   {makeOperation(2, 5), makeOperation(4, 4), makeOperation(2, 9), makeOperation(4, 7), makeOperation(4, 1)},
		"discard":      {makeOperation(3, 6), makeOperation(3, 9), makeOperation(3, 1), makeOperation(7, 1)},
		"one each":     {makeOperation(0, 1), makeOperation(1, 0), makeOperation(2, 1), makeOperation(3, 1), makeOperation(4, 1), makeOperation(7, 9)},
		"nothing asks": {makeOperation(0, 0), makeOperation(2, 0), makeOperation(3, 0), makeOperation(4, 0), makeOperation(5, 0), makeOperation(7, 0)},
	}
	input := []byte("ab\r\ncb\nde")
	run(t, func(t *task.Task) error {
		for split := range 1 << (len(input) - 1) {
			var sizes []int
			size := 1
			for i := range len(input) - 1 {
				if split&(1<<i) != 0 {
					sizes = append(sizes, size)
					size = 0
				}
				size++
			}
			for name, ops := range scripts {
				if err := checkReads(t, input, sizes, ops); err != nil {
					return fmt.Errorf("%s, segments of %d: %w", name, sizes, err)
				}
			}
		}
		return nil
	})
}

// So they do of a long input in random segments, whose limits are beyond what is read ahead.
func TestRandomSplits(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var input []byte
	for i := range 40 {
		input = append(input, strings.Repeat("x", i*random.IntN(9000))...)
		input = append(input, "b\r\n"[random.IntN(3):]...)
	}
	input = append(input, strings.Repeat("y", 200_000)...)
	run(t, func(t *task.Task) error {
		for range 20 {
			var sizes []int
			for range 100 {
				sizes = append(sizes, random.IntN(65_536))
			}
			var ops []operation
			for range 60 {
				ops = append(ops, makeOperation(random.IntN(8), []int{3, 5000, 150_000, 1 << 20}[random.IntN(4)]))
			}
			if err := checkReads(t, input, sizes, ops); err != nil {
				return err
			}
		}
		return nil
	})
}

// FuzzReads takes from its input the bytes, how they are split, and what is read.
func FuzzReads(f *testing.F) {
	f.Add([]byte("ab\r\ncb\nde"), []byte{1, 2, 3}, []byte{7, 3, 5, 9, 0, 255})
	f.Add(bytes.Repeat([]byte("line\n"), 50), []byte{}, bytes.Repeat([]byte{7, 5}, 60))
	f.Add(bytes.Repeat([]byte("abcdefgh"), 2000), []byte{255, 254, 253}, []byte{2, 200, 4, 250, 3, 255, 1, 9})
	f.Fuzz(func(t *testing.T, input, splits, script []byte) {
		var sizes []int
		for _, b := range splits {
			sizes = append(sizes, int(b)*int(b)+1)
		}
		var ops []operation
		for op := range slices.Chunk(script, 2) {
			n := op[len(op)-1]
			ops = append(ops, makeOperation(int(op[0]), int(n)*int(n)))
		}
		e := rig.New(t, rondo.Config{})
		runOn(t, e.Loop(), func(t *task.Task) error { return checkReads(t, input, sizes, ops) })
	})
}
