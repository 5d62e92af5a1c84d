package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/rondo-go/rondo/poetry"
)

// flagError puts what is wrong with an option into this program's words.
func flagError(err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		name := unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			return wrong("There is no option -%s.", name)
		}
		return wrong("There is no option --%s.", name)
	}
	if missing, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return wrong("The option --%s needs a value.", missing.GetSpecifiedName())
	}
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		f := invalid.GetFlag()
		if usage, ok := errors.AsType[poetry.UsageError](err); ok {
			return wrong("--%s: %s", f.Name, usage)
		}
		if f.Value.Type() == "bool" {
			return wrong("--%s: %q is neither true nor false; the option needs no value.", f.Name, invalid.GetValue())
		}
	}
	return wrong("%s.", oneLine(err.Error()))
}

// seconds is an option that takes a time of 0 or more, in seconds or as Go writes durations.
type seconds struct{ d *time.Duration }

func (s seconds) Set(text string) error {
	d, err := poetry.ParseDelay(text)
	if err != nil {
		return wrong("%q is no time to wait: give 0 or more seconds, like 0.1, or a duration like 100ms.", text)
	}
	*s.d = d
	return nil
}

func (s seconds) String() string {
	if s.d == nil || *s.d == 0 {
		return ""
	}
	return s.d.String()
}

func (seconds) Type() string { return "seconds" }

// whole is an option that takes a whole number as people write them: pflag's own would take 010 for eight.
type whole struct{ n *int }

func (w whole) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || strings.HasPrefix(text, "+") {
		return wrong("%q is no whole number.", text)
	}
	*w.n = n
	return nil
}

func (w whole) String() string {
	if w.n == nil {
		return ""
	}
	return strconv.Itoa(*w.n)
}

func (whole) Type() string { return "int" }

// afterBytes is an option that takes a number of bytes, or is not given.
type afterBytes struct{ *poetry.After }

func (afterBytes) Type() string { return "bytes" }

// choice is an option that takes one of a few words.
type choice struct {
	word    *string
	allowed []string
	// later are words that will be allowed one day, so that who has read of them is told so.
	later []string
}

func (c choice) Set(word string) error {
	list := strings.Join(c.allowed[:len(c.allowed)-1], ", ") + " or " + c.allowed[len(c.allowed)-1]
	switch {
	case slices.Contains(c.allowed, word):
		*c.word = word
		return nil
	case slices.Contains(c.later, word):
		return wrong("%q is not built yet: give %s.", word, list)
	}
	return wrong("%q is none of those there are: give %s.", word, list)
}

func (c choice) String() string {
	if c.word == nil {
		return ""
	}
	return *c.word
}

func (c choice) Type() string { return strings.Join(c.allowed, "|") }

// count is n things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
