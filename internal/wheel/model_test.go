package wheel

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// model does what the documentation of Wheel says, in the simplest way.
type model struct {
	now     int64
	overdue bool
	serial  int
	waiting []entry
	due     []entry // in order
}

type entry struct {
	owner, serial int
	when          int64
}

// dueTime returns the first multiple of Tick at or after when, except that there
// is none after the last that an int64 can hold.
func dueTime(when int64) int64 {
	rest := when % Tick
	switch {
	case when <= 0:
		return 0
	case rest == 0:
		return when
	case when > math.MaxInt64-(Tick-rest):
		return math.MaxInt64
	}
	return when + Tick - rest
}

func (m *model) add(owner int, when int64) {
	m.remove(owner)
	m.serial++
	m.overdue = m.overdue || when <= m.now
	m.waiting = append(m.waiting, entry{owner, m.serial, when})
}

func (m *model) remove(owner int) bool {
	before := m.len()
	is := func(e entry) bool { return e.owner == owner }
	m.waiting = slices.DeleteFunc(m.waiting, is)
	m.due = slices.DeleteFunc(m.due, is)
	return m.len() < before
}

func (m *model) len() int { return len(m.waiting) + len(m.due) }

func (m *model) expire(now int64) {
	m.now = max(m.now, now)
	var rest []entry
	for _, e := range m.waiting {
		if dueTime(e.when) <= m.now || m.overdue && e.when <= m.now {
			m.due = append(m.due, e)
		} else {
			rest = append(rest, e)
		}
	}
	m.waiting, m.overdue = rest, false
	slices.SortFunc(m.due, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.when, b.when), cmp.Compare(a.serial, b.serial))
	})
}

// earliest returns the latest time that Next may answer with.
func (m *model) earliest() int64 {
	if len(m.due) > 0 {
		return m.now
	}
	earliest := int64(math.MaxInt64)
	for _, e := range m.waiting {
		earliest = min(earliest, max(m.now, dueTime(e.when)))
	}
	return earliest
}

// machine runs a program of bytes on a wheel and on the model of one.
type machine struct {
	t       *testing.T
	program []byte
	w       Wheel[int]
	m       model
	timers  [40]Timer[int]
	popped  int
}

func (x *machine) byte() byte {
	if len(x.program) == 0 {
		return 0
	}
	b := x.program[0]
	x.program = x.program[1:]
	return b
}

// span returns a length of time, most often short, next to a power of two or
// next to a multiple of Tick.
func (x *machine) span() int64 {
	switch b := x.byte(); b % 8 {
	case 0:
		return int64(b / 8)
	case 1, 2:
		return int64(x.byte()) * Tick / 64
	case 3, 4:
		return int64(x.byte())*Tick + int64(b/8%3) - 1
	case 5:
		return 1<<(x.byte()%56) + int64(b/8%3) - 1
	case 6:
		return Tick<<(levelBits*(b/8%7)) - Tick + int64(x.byte())*Tick/128
	default:
		return int64(x.byte())<<(x.byte()%32) | int64(x.byte())
	}
}

func (x *machine) when() int64 {
	b := x.byte()
	switch {
	case b == 255:
		return math.MaxInt64 - int64(x.byte())*Tick/64
	case b == 254:
		return -x.span()
	case b >= 224:
		return x.m.now - x.span()
	case b >= 192 && len(x.m.waiting) > 0: // the same as another's
		return x.m.waiting[int(b)%len(x.m.waiting)].when
	case b >= 184:
		return x.m.now
	}
	d := x.span()
	if d > math.MaxInt64-x.m.now {
		return math.MaxInt64
	}
	return x.m.now + d
}

func (x *machine) run() {
	for len(x.program) > 0 {
		x.step()
		x.check()
	}
	x.expire(math.MaxInt64) // all must come out in the end
	for x.pop() {
	}
	if x.w.Len() != 0 {
		x.t.Fatalf("%d timers pending at the end of time", x.w.Len())
	}
}

func (x *machine) step() {
	switch b := x.byte(); b % 8 {
	case 0, 1, 2:
		x.change()
	case 3, 4:
		now := x.m.now + x.span()
		if now < 0 { // overflow
			now = math.MaxInt64
		}
		x.expire(now)
		x.batch()
	case 5:
		// As a loop with nothing else to do: each Next lowers a level at least.
		for i, popped := 0, x.popped; x.w.Len() > 0 && x.popped == popped; i++ {
			if i > levels {
				x.t.Fatalf("%d calls of Expire for one timer", i)
			}
			next, _ := x.w.Next()
			x.expire(next)
			x.batch()
		}
	case 6: // a batch that is interrupted
		x.expire(x.m.now + int64(b/8)*Tick)
		x.pop()
	case 7:
		for range b / 8 {
			x.change()
		}
	}
}

// change adds, moves or removes a timer.
func (x *machine) change() {
	b := x.byte()
	owner := int(b) % len(x.timers)
	if b >= 200 {
		got, want := x.w.Remove(&x.timers[owner]), x.m.remove(owner)
		if got != want {
			x.t.Fatalf("Remove returned %v, want %v", got, want)
		}
		return
	}
	when := x.when()
	x.w.Add(&x.timers[owner], when)
	x.m.add(owner, when)
}

func (x *machine) expire(now int64) {
	if now < 0 {
		now = math.MaxInt64
	}
	x.w.Expire(now)
	x.m.expire(now)
}

// batch pops all timers that are due, with changes in between.
func (x *machine) batch() {
	for limit := len(x.m.due); x.pop(); limit-- {
		if limit == 0 {
			x.t.Fatal("a callback has added to the batch")
		}
		x.check()
		for range x.byte() % 4 {
			x.change()
		}
	}
}

func (x *machine) pop() bool {
	got := x.w.Pop()
	if got == nil {
		if len(x.m.due) > 0 {
			x.t.Fatalf("at %d: popped nothing, want %+v", x.m.now, x.m.due[0])
		}
		return false
	}
	if len(x.m.due) == 0 || x.m.due[0].owner != got.Owner || x.m.due[0].when != got.When() {
		x.t.Fatalf("at %d: popped %d with deadline %d, want %+v", x.m.now, got.Owner, got.When(), x.m.due)
	}
	if got.When() > x.m.now || got.Pending() {
		x.t.Fatalf("at %d: popped a timer with deadline %d, pending: %v", x.m.now, got.When(), got.Pending())
	}
	x.m.due = x.m.due[1:]
	x.popped++
	return true
}

func (x *machine) check() {
	if x.w.Len() != x.m.len() {
		x.t.Fatalf("Len() = %d, want %d", x.w.Len(), x.m.len())
	}
	next, ok := x.w.Next()
	if ok != (x.m.len() > 0) || ok && (next > x.m.earliest() || next < x.m.now) {
		x.t.Fatalf("at %d: Next() = %d, %v; a timer is due at %d", x.m.now, next, ok, x.m.earliest())
	}
}

func runProgram(t *testing.T, program []byte) (popped int) {
	x := &machine{t: t, program: program}
	for i := range x.timers {
		x.timers[i].Owner = i
	}
	x.run()
	return x.popped
}

func TestModel(t *testing.T) {
	popped := 0
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		program := make([]byte, 4000)
		for i := range program {
			program[i] = byte(rng.Uint32())
		}
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			popped += runProgram(t, program)
		})
	}
	if popped < 20_000 {
		t.Errorf("only %d timers were due: the test is not testing much", popped)
	}
	t.Logf("%d timers were due", popped)
}

func FuzzWheel(f *testing.F) {
	f.Add([]byte{0, 1, 0, 4, 0, 2, 0, 2, 3, 3, 200})
	f.Add([]byte{7, 255, 254, 253, 252, 5, 5, 5, 3, 5, 55})
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 10_000 {
			t.Skip("needs more time than -short allows")
		}
		runProgram(t, program)
	})
}
