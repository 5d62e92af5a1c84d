package rondo

import (
	"errors"
	"io/fs"
	"os"
)

// packetFile is the file that a Unix socket has bound; the zero packetFile is none.
type packetFile struct {
	path string
	info fs.FileInfo // as it was bound
}

// boundFile is the file of a socket that was just bound to a.
func boundFile(e *Engine, a PacketAddr) packetFile {
	if a.Name == "" || a.Name[0] == '@' || e.world.TakesTurns() { // a simulation has no files
		return packetFile{}
	}
	info, err := os.Lstat(a.Name)
	if err != nil {
		return packetFile{}
	}
	return packetFile{a.Name, info}
}

// remove removes the file, unless something else has taken its place since: another's socket, or anybody's file.
func (f packetFile) remove(e *Engine) {
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
