package task

// Event is something that has happened or has not yet, and for which any number of tasks wait. The zero Event has not happened.
type Event struct {
	set  bool
	line line
}

// Set says that it has happened: every task that waits goes on, in the order in which they came, and those to come do not wait.
func (e *Event) Set() {
	e.line.mustOwn("Event.Set")
	e.set = true
	for e.line.first != nil {
		e.line.serve()
	}
}

// Clear says that it has not happened after all. Tasks that Set has let go do go on.
func (e *Event) Clear() {
	e.line.mustOwn("Event.Clear")
	e.set = false
}

// IsSet reports whether it has happened.
func (e *Event) IsSet() bool {
	e.line.mustOwn("Event.IsSet")
	return e.set
}

// Wait waits until it has happened. It returns nil, or the reason if the task is cancelled before that.
func (e *Event) Wait(t *Task) error {
	if reason := t.checkpoint(); reason != nil || e.set {
		return reason
	}
	_, reason := e.line.wait(t, e, 0)
	return reason
}

func (e *Event) left() {}

// String says what it is, for lists of tasks.
func (e *Event) String() string { return "an event" }
