package cli

import (
	"errors"
	"fmt"
	"math"
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
		if name == "version" {
			return wrong("There is no option --version: \"rondo version\" says which one this is.")
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
		return wrong("%q is no time to wait: give 0 to %d seconds, like 0.1, or a duration like 100ms.", text,
			math.MaxInt64/int64(time.Second))
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

// wholeNumber reads one as people write them: pflag's own would take 010 for eight.
func wholeNumber(text string, least, most int) (int, error) {
	n, err := strconv.Atoi(text)
	huge := errors.Is(err, strconv.ErrRange)
	limits := fmt.Sprintf("from %d to %d", least, most)
	if most == math.MaxInt && !huge { // nobody needs to hear of that limit
		limits = fmt.Sprintf("of %d or more", least)
	}
	switch {
	case err != nil && !huge || strings.HasPrefix(text, "+"):
		return 0, wrong("%q is no whole number: give one %s.", text, limits)
	case huge || n < least || n > most:
		return 0, wrong("%s is out of range: give a whole number %s.", text, limits)
	}
	return n, nil
}

// whole is an option that takes a whole number within limits. The help of the option must say them.
type whole struct {
	n           *int
	least, most int
}

func (w whole) Set(text string) error {
	n, err := wholeNumber(text, w.least, w.most)
	if err == nil {
		*w.n = n
	}
	return err
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

func (a afterBytes) Set(text string) error {
	n, err := wholeNumber(text, 0, math.MaxInt)
	if err == nil {
		*a.After = poetry.AfterBytes(n)
	}
	return err
}

func (afterBytes) Type() string { return "bytes" }

// filled is an option that takes some text, but not an empty one: that is what a script's variable gives which was never set.
type filled struct {
	text *string
	what string // as one calls it
}

func (f filled) Set(text string) error {
	if text == "" {
		return wrong(`"" is no %s: give one, or leave the option out.`, f.what)
	}
	*f.text = text
	return nil
}

func (f filled) String() string {
	if f.text == nil {
		return ""
	}
	return *f.text
}

func (filled) Type() string { return "string" }

// host is an option that takes a host or an address.
type host struct{ text *string }

func (h host) Set(text string) error {
	if looksLikeIP(text) {
		return wrong("%q is no IP address, which has four numbers from 0 to 255: give one like 127.0.0.1.", text)
	}
	return filled{h.text, "host or address"}.Set(text)
}

func (h host) String() string { return filled{text: h.text}.String() }

func (host) Type() string { return "string" }

// choice is an option that takes one of a few words.
type choice struct {
	word    *string
	allowed []string
	// later are words that will be allowed one day, so that who has read of them is told so.
	later []string
}

func (c choice) Set(word string) error {
	list := enumerate(c.allowed, "or")
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

// enumerate is a list as one says it: "a, b or c".
func enumerate(words []string, conjunction string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " " + conjunction + " " + words[last]
}

// count is n things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
