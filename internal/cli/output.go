package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/rondo-go/rondo/poetry"
)

// keep writes the files that were asked for. What is said about them goes to standard error, so that the output stays what the client has
// always said.
func (p *program) keep(f fetching, report *poetry.Report) error {
	if f.output != "" {
		if err := p.writePoems(f.output, report); err != nil {
			return err
		}
	}
	if f.timeline != "" {
		if err := poetry.WriteTimeline(f.timeline, report); err != nil {
			return err
		}
		fmt.Fprintf(p.errs, "Wrote the timeline %s.\n", f.timeline)
	}
	return nil
}

// printPoems goes on to the end if the fetching was interrupted, and not if the printing is.
func (p *program) printPoems(ctx context.Context, report *poetry.Report) error {
	before := ctx.Err()
	onTerminal := isTerminal(p.out)
	for i := range report.Tasks {
		t := &report.Tasks[i]
		if t.Err != nil {
			continue
		}
		text := string(t.Poem)
		if onTerminal {
			text = harmless(t.Poem)
		}
		if !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		if _, err := fmt.Fprintf(p.out, "\nTask %d: the poem from %s\n\n%s", t.Task, t.Address, text); err != nil {
			return err
		}
		if before == nil && ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// writePoems writes the whole poems; a part of one is no poem.
func (p *program) writePoems(folder string, report *poetry.Report) error {
	written := 0
	for i := range report.Tasks {
		t := &report.Tasks[i]
		if t.Err != nil {
			continue
		}
		if err := writeWhole(folder, poemFile(t), t.Poem); err != nil {
			return fmt.Errorf("writing the poem of task %d: %w", t.Task, err)
		}
		written++
	}
	fmt.Fprintf(p.errs, "Wrote %s into %s.\n", count(written, "poem"), folder)
	return nil
}

// poemFile is a name that is safe on every system and that no two tasks of a run share: an address may contain colons,
// and a host is whatever was typed.
func poemFile(t *poetry.Fetch) string {
	safe := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, t.Address)
	const longest = 100
	return fmt.Sprintf("poem-%d-%s.txt", t.Task, strings.TrimLeft(safe[max(0, len(safe)-longest):], "."))
}

// writeWhole writes a file under another name first, so that under its own there is never a part.
func writeWhole(folder, name string, text []byte) error {
	part := filepath.Join(folder, fmt.Sprintf(".%s.%d.part", name, os.Getpid()))
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = cmp.Or(err, f.Close())
	if err == nil {
		err = os.Rename(part, filepath.Join(folder, name))
	}
	if err != nil {
		_ = os.Remove(part)
	}
	return err
}

// prepare sees to what the end is written into, before anybody waits for it: a drawing and a folder, neither of which need be wanted.
func prepare(timeline, folder string) (giveUp func(), err error) {
	giveUp = func() {}
	if timeline != "" {
		if giveUp, err = reserve(timeline); err != nil {
			return nil, err
		}
	}
	if folder != "" {
		if err := makeFolder(folder); err != nil {
			giveUp()
			return nil, err
		}
	}
	if timeline != "" || folder != "" {
		// An output whose reader has gone away is an error like any other, and not the process's end: the files are still wanted.
		signal.Ignore(syscall.SIGPIPE)
	}
	return giveUp, nil
}

// makeFolder sees to it that the folder is there and takes files, before anybody waits for what goes into it.
func makeFolder(path string) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return fmt.Errorf("making the folder for the poems: %w", err)
	}
	f, err := os.CreateTemp(path, ".rondo-*.part")
	if err == nil {
		err = cmp.Or(f.Close(), os.Remove(f.Name()))
	}
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err // of a name that nobody has given
	}
	if err != nil {
		return fmt.Errorf("no poem can be written into the folder %s: %w", path, err)
	}
	return nil
}

// reserve refuses a drawing that could not be written, before anybody waits for it, and leaves what is in the file as it
// is. giveUp takes a file away again that was made here and that nothing has been written into.
func reserve(path string) (giveUp func(), err error) {
	if err := poetry.CheckTimelinePath(path); err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		if info.IsDir() {
			return nil, fmt.Errorf("the timeline %s cannot be written: it is a folder", path)
		}
		return func() {}, nil // opening a pipe would wait for its reader
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	made := err == nil
	if errors.Is(err, fs.ErrExist) {
		f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	}
	if err != nil {
		return nil, cannotWrite(path, err)
	}
	if err := f.Close(); err != nil {
		return nil, cannotWrite(path, err)
	}
	return func() {
		if info, err := os.Stat(path); made && err == nil && info.Size() == 0 {
			_ = os.Remove(path)
		}
	}, nil
}

func cannotWrite(path string, err error) error {
	folder := filepath.Dir(path)
	info, statErr := os.Stat(folder)
	switch {
	case errors.Is(statErr, fs.ErrNotExist):
		return fmt.Errorf("the timeline %s cannot be written: there is no folder %s", path, folder)
	case statErr == nil && !info.IsDir():
		return fmt.Errorf("the timeline %s cannot be written: %s is no folder", path, folder)
	}
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err // which has said the path already
	}
	return fmt.Errorf("the timeline %s cannot be written: %w", path, err)
}
