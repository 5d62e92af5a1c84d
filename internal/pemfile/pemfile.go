// Package pemfile reads files of certificates and keys, which are small: whoever names a device, or a log, is told so before it has filled the memory.
package pemfile

import (
	"fmt"
	"io"
	"os"
)

// MaxBytes is the most that a file may have: 1 MiB. All authorities that a system trusts have together about a quarter of it.
const MaxBytes = 1 << 20

// TooLongError says that a file is none of certificates and keys.
type TooLongError struct{ Name string }

func (e *TooLongError) Error() string {
	return fmt.Sprintf("%s has more than %d MiB, the most that a file of certificates or keys (PEM) may have: give such a file", e.Name, MaxBytes>>20)
}

// Read is os.ReadFile for a file of at most MaxBytes; of a longer one the error is a [*TooLongError]. It may be a FIFO, such as a shell makes for <(command): then it blocks until that has been written.
func Read(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > MaxBytes {
		return nil, &TooLongError{name}
	}
	return text, nil
}
