package rondo

// freeList keeps the buffers that connections have given back for the next that need one. An
// echo needs one output for a moment at each message; nothing is allocated for it.
type freeList struct {
	inputs  []*input
	outputs []*output
}

const (
	maxFree      = 32       // of each kind
	maxFreeBytes = 64 << 10 // larger buffers go to the garbage collector
	newOutput    = 4 << 10
)

func (f *freeList) getOutput() *output {
	if n := len(f.outputs); n > 0 {
		o := f.outputs[n-1]
		f.outputs = f.outputs[:n-1]
		return o
	}
	return &output{data: make([]byte, 0, newOutput)}
}

func (f *freeList) putOutput(o *output) {
	if cap(o.data) <= maxFreeBytes && len(f.outputs) < maxFree {
		o.data, o.sent = o.data[:0], 0
		f.outputs = append(f.outputs, o)
	}
}

func (f *freeList) getInput() *input {
	if n := len(f.inputs); n > 0 {
		in := f.inputs[n-1]
		f.inputs = f.inputs[:n-1]
		return in
	}
	return new(input)
}

// putInput keeps only small ones: what a protocol leaves is usually a few bytes, and a connection
// may hold on to them for long.
func (f *freeList) putInput(in *input) {
	if cap(in.data) > minRead {
		in.data = nil
	}
	in.data, in.need = in.data[:0], 0
	if len(f.inputs) < maxFree {
		f.inputs = append(f.inputs, in)
	}
}
