package poetry

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// A Source is where a server takes its poem from. The zero value is refused by [Options.Validate].
type Source struct {
	// Name is what the server prints in "Serving NAME on port PORT.".
	Name string
	// Read returns the poem. It is called once for each client, so that a file changed in between is served as it is
	// now. The server does not change the bytes. Called from whichever goroutine serves the client.
	Read func() ([]byte, error)
}

// FileSource reads the poem from a file, anew for each client. It does not look whether the file is there:
// [Options.Validate] does. What is no regular file, or has more than [DefaultMaxBytes], is refused with a [UsageError].
func FileSource(path string) Source {
	return Source{Name: path, Read: func() ([]byte, error) { return readPoem(path) }}
}

// readPoem never waits and never reads without end: a pipe or a device has no end, and a pipe without a writer is not
// even opened.
func readPoem(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, usageErrorf("%s is no regular file: give one that has a poem in it, or one of the poems built in (%s).",
			path, poemNames())
	}
	tooLong := usageErrorf("The file %s is too long for a poem: give one of at most %d MiB.", path, DefaultMaxBytes>>20)
	if info.Size() > DefaultMaxBytes {
		return nil, tooLong
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// The size is only what it was: a file may grow, and those of /proc say that they have none.
	b := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	if _, err := b.ReadFrom(io.LimitReader(f, DefaultMaxBytes+1)); err != nil {
		return nil, err
	}
	if b.Len() > DefaultMaxBytes {
		return nil, tooLong
	}
	return b.Bytes(), nil
}

// PoemSource serves a poem from memory.
func PoemSource(p Poem) Source {
	return Source{Name: p.Name, Read: func() ([]byte, error) { return []byte(p.Text), nil }}
}

// NamedSource is the source a command line means: one of the poems built in if the argument is its name, else a file.
// A file that has the name of a poem is reached by a path, such as ./donne.
func NamedSource(arg string) Source {
	if p, ok := Lookup(arg); ok {
		return PoemSource(p)
	}
	return FileSource(arg)
}

// check reads the poem once, so that a missing file is found when the server starts, not when a client comes.
func (s Source) check() error {
	if s.Read == nil {
		return usageErrorf("There is no poem to serve: give a file, or one of the poems built in (%s).", poemNames())
	}
	_, err := s.Read()
	_, refused := errors.AsType[UsageError](err)
	switch {
	case err == nil:
		return nil
	case refused:
		return err
	case errors.Is(err, fs.ErrNotExist):
		return usageErrorf("There is no file %s: give a file that exists, or one of the poems built in (%s).",
			s.Name, poemNames())
	case errors.Is(err, fs.ErrPermission):
		return usageErrorf("The file %s may not be read: change its permissions, or give another one.", s.Name)
	}
	return fmt.Errorf("reading the poem %s: %w", s.Name, err)
}
