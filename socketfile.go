package rondo

import (
	"errors"
	"io/fs"
	"os"
)

// socketFile is the file that a Unix socket has bound; the zero socketFile is none.
type socketFile struct {
	path string
	info fs.FileInfo // as it was bound
}

// boundFile is the file of a socket that was just bound to that name.
func boundFile(e *Engine, name string) socketFile {
	if name == "" || name[0] == '@' || e.world.TakesTurns() { // a simulation has no files
		return socketFile{}
	}
	info, err := os.Lstat(name)
	if err != nil {
		return socketFile{}
	}
	return socketFile{name, info}
}

// remove removes the file, unless something else has taken its place since: another's socket, or anybody's file.
func (f socketFile) remove(e *Engine) {
	if f.info == nil {
		return
	}
	now, err := os.Lstat(f.path)
	if err != nil || !os.SameFile(now, f.info) {
		return
	}
	if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		e.report("rondo: removing a Unix socket failed", err)
	}
}
