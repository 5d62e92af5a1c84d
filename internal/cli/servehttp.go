package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/httpd"
)

func (p *program) serveHTTP() *cobra.Command {
	s, dir, kind, log := server{address: "127.0.0.1:8080", drain: 10 * time.Second}, "", "", false
	cmd := &cobra.Command{
		Use:   "http [options]",
		Short: "Answer HTTP/1.1, and over TLS HTTP/2: a greeting, or the files of a folder (RFC 9112)",
		Long: `Answer HTTP/1.1, and over TLS HTTP/2 too. Without --dir, GET / is answered with
"Hello, World!". With it, the files below that folder are served, in whole or in
part, and lists of folders without an index.html; links that lead out of it are not
followed. Ctrl-C, or the signals INT, TERM
and HUP, end it in good order: nobody new is let in, and requests that have come
are still answered.`,
		Example: `  rondo serve http
  rondo serve http --dir public --log
  rondo serve http --addr 0.0.0.0:8443 --tls --cert cert.pem --key key.pem
  rondo serve http --handler nonblocking --loops 1`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := handlerOf(dir, kind)
			if err != nil {
				return err
			}
			web := &http1.Server{Handler: h, ReadTimeout: time.Minute} // nothing that is served here wants a body
			if log {
				journal := newJournal(p.errs) // whoever does not read it keeps nobody waiting
				defer journal.flush(time.Second)
				web.AccessLog = slog.New(slog.NewTextHandler(journal, nil))
			}
			s.alpn = httpd.Protocols
			return p.listen(cmd.Context(), &s, httpd.Protocol(web))
		},
	}
	s.flags(cmd.Flags())
	cmd.Flags().Var(filled{&dir, "folder"}, "dir", "serve the files below this folder")
	cmd.Flags().Var(choice{word: &kind, allowed: []string{"nonblocking", "task", "goroutine"}}, "handler",
		"where the handler runs: on the loop, in a task on the loop, or on a goroutine for each request (default nonblocking; with --dir goroutine)")
	cmd.Flags().BoolVar(&log, "log", false, "write a line for each request to standard error")
	return cmd
}

// handlerOf makes the handler that the command line asks for.
func handlerOf(dir, kind string) (http.Handler, error) {
	if dir != "" {
		if kind != "" && kind != "goroutine" {
			return nil, wrong("--handler: reading files of --dir blocks, which only a goroutine may: leave --handler out.")
		}
		st, err := os.Stat(dir)
		if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
			err = pathErr.Err // which does not say the path again
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("the folder %s cannot be served: %w", dir, err)
		case !st.IsDir():
			return nil, wrong("--dir: %q is no folder: give the one that it is in.", dir)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, fmt.Errorf("the folder %s cannot be served: %w", dir, err)
		}
		files := http.FileServer(folder{root})
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if onlyReads(w, r) {
				files.ServeHTTP(w, r)
			}
		}), nil
	}
	h := http.HandlerFunc(hello)
	switch kind {
	case "goroutine":
		return h, nil
	case "task":
		return http1.Task(h), nil
	}
	return http1.NonBlocking(h), nil
}

// textPlain is shared by all answers, which do not change it.
var textPlain = []string{"text/plain; charset=utf-8"}

func hello(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != "/":
		http.NotFound(w, r)
	case onlyReads(w, r):
		w.Header()["Content-Type"] = textPlain
		io.WriteString(w, "Hello, World!") //nolint:errcheck // who has left has left
	}
}

// onlyReads refuses a request that wants to change something, and reports whether it is none.
func onlyReads(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	http.Error(w, "Only GET is answered here.", http.StatusMethodNotAllowed)
	return false
}

// folder is what is below a folder, and nothing but files and folders: opening a FIFO would wait for its other end for ever, with a thread.
type folder struct{ *os.Root }

// Open implements http.FileSystem.
func (f folder) Open(name string) (http.File, error) {
	name = cmp.Or(strings.Trim(name, "/"), ".")
	st, err := f.Stat(name)
	if err == nil && !st.Mode().IsRegular() && !st.IsDir() {
		err = fs.ErrNotExist
	}
	if err == nil {
		var file *os.File
		if file, err = f.Root.Open(name); err == nil {
			return file, nil
		}
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return nil, err
	}
	return nil, fs.ErrNotExist // a link that leads out of it, a name that no file can have
}
