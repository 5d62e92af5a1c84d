package poetry

import "fmt"

// A UsageError is a wrong option or argument. Its text is one whole sentence or two, which say what was wrong and what
// to do instead, ready to be printed above a usage. A command that meets one (by [errors.AsType]) exits with status 2.
type UsageError string

// Error returns the sentence.
func (e UsageError) Error() string { return string(e) }

// ErrPortNotInteger is what [ParseAddress] returns for a port that is not a number.
const ErrPortNotInteger = UsageError("Ports must be integers.")

func usageErrorf(format string, args ...any) error { return UsageError(fmt.Sprintf(format, args...)) }
