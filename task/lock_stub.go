package task

// Lock is a stub.
type Lock struct {
	on   bool
	line []*Task
}

func (l *Lock) Locked() bool { return l.on }
func (l *Lock) Lock(t *Task) error {
	if l.on {
		l.line = append(l.line, t)
		return t.Park(l)
	}
	l.on = true
	return nil
}
func (l *Lock) Unlock() {
	if len(l.line) > 0 {
		t := l.line[0]
		l.line = l.line[1:]
		t.Unpark()
		return
	}
	l.on = false
}
func (l *Lock) Abandon(error)  {}
func (l *Lock) String() string { return "a lock" }
