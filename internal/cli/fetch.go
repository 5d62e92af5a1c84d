package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/httpd"
	"github.com/rondo-go/rondo/poetry"
	"github.com/rondo-go/rondo/task"
)

// urlFetching is what the command line of fetch says.
type urlFetching struct {
	urls        []string
	concurrency int
	timeout     time.Duration
	print       bool
	output      string
	timeline    string
	security    clientTLS
}

// maxConcurrency is the most connections at a time: as many as a port range usually has room for.
const maxConcurrency = 10_000

func (p *program) fetchURL() *cobra.Command {
	f := urlFetching{concurrency: 64, timeout: time.Minute, security: clientTLS{on: true, option: "https"}}
	cmd := &cobra.Command{
		Use:   "fetch [options] URL ...",
		Short: "Fetch many URLs at once, over HTTP/1.1 (RFC 9112)",
		Long: `Fetch many URLs at once, from http and https, on one event loop. Connections are
used again, redirects are followed (ten at the most), and proxies are those that
HTTP_PROXY, HTTPS_PROXY and NO_PROXY name. For each URL a line says what has
come, as it comes; on a terminal there are bars before that. When one fails, or its
server answers with a status of 400 or more, a line says so, the others go on, and
the exit status is 1. A body that is kept may have 64 MiB at most.`,
		Example: `  rondo fetch http://127.0.0.1:8080/ https://example.com/
  rondo fetch --print https://example.com/
  rondo fetch --concurrency 8 --timeout 10 --timeline times.html http://127.0.0.1:8080/a http://127.0.0.1:8080/b
  rondo fetch --output pages --ca cert.pem https://localhost:8443/`,
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return wrong("There is no URL to fetch: give one, or several.")
			}
			for _, arg := range args {
				u, err := parseURL(arg)
				if err != nil {
					return err
				}
				f.urls = append(f.urls, u)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return p.fetchURLs(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.Var(whole{&f.concurrency, 1, maxConcurrency}, "concurrency", "how many to fetch at the same time, 1 to 10000")
	flags.Var(seconds{&f.timeout}, "timeout", "give one up that is not there after so long, 0 or more; 0 means never")
	flags.BoolVar(&f.print, "print", false, "print the bodies at the end, in the order asked, and what else there is to say to standard error")
	flags.Var(filled{&f.output, "folder"}, "output", "write each body into a file of its own in this `folder`")
	flags.Var(filled{&f.timeline, "file"}, "timeline", "draw when what came into this `file`: .svg, .html, .txt or .json")
	flags.BoolVar(&f.security.insecure, "insecure", false, "do not check certificates: anybody could be there")
	flags.Var(filled{&f.security.ca, "file"}, "ca", "trust the certificates in this `file` (PEM), and no others")
	return cmd
}

// parseURL refuses what cannot be fetched. Without a scheme it is http, as with curl.
func parseURL(text string) (string, error) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		if reason, ok := errors.AsType[*url.Error](err); ok {
			err = reason.Err
		}
		return "", wrong("%q is no URL: %v.", text, err)
	case u.Scheme != "http" && u.Scheme != "https":
		return "", wrong("%q: only http and https can be fetched.", text)
	case u.Host == "":
		return "", wrong("%q has no host: write it like http://localhost:8080/.", text)
	}
	return u.String(), nil
}

func (p *program) fetchURLs(ctx context.Context, f urlFetching) error {
	encryption, err := f.security.config()
	if err != nil {
		return err
	}
	giveUp, err := prepare(f.timeline, f.output)
	if err != nil {
		return err
	}
	defer giveUp()
	g := &getter{urlFetching: f, program: p, status: make([]string, len(f.urls))}
	addresses := make([]poetry.Address, len(f.urls))
	for i, u := range f.urls {
		addresses[i].Endpoint = printable(u)
	}
	keeps := f.print || f.output != ""
	client := poetry.Client{Now: p.clock.now, Discard: !keeps, MaxBytes: math.MaxInt}
	if keeps {
		client.MaxBytes = poetry.DefaultMaxBytes
	}
	says := p.out
	if f.print {
		says = p.errs
	}
	finish := func() {}
	switch _, rows, ok := terminal(says); {
	case ok:
		client.OnEvent, finish = p.drawFetches(says, addresses, rows)
	default:
		client.OnEvent = func(e poetry.Event) { g.say(says, e) }
	}
	g.client = &http1.Client{Transport: httpd.Transport(nil, encryption), Timeout: f.timeout}
	g.client.Transport.MaxIdleConns = f.concurrency
	g.recorder = client.NewRecorder(poetry.ModeTask, addresses)
	err = onOneLoop(ctx, g.fetch)
	if err != nil && ctx.Err() == nil {
		return err
	}
	for ; g.next < len(g.urls); g.next++ { // interrupted before these had a turn
		g.recorder.Start(g.next + 1)
		g.recorder.End(g.next+1, inWords(errCancelled))
	}
	report := g.recorder.Report()
	finish()
	if _, _, ok := terminal(says); ok {
		g.sayAll(says, report)
	}
	return g.keep(ctx, report)
}

// drawFetches has bars on a terminal, one for each URL or one for all.
func (p *program) drawFetches(w io.Writer, addresses []poetry.Address, rows int) (event func(poetry.Event), wait func()) {
	screen := w
	if f, ok := fileOf(screen); ok {
		screen = f // the drawing asks it for its size
	}
	if len(addresses) < rows {
		b := newBars(screen, p.clock, addresses)
		return b.event, b.wait
	}
	t := newTally(screen, p.clock, len(addresses))
	t.what = "URL"
	return t.event, t.wait
}

// getter fetches the URLs, each in a task.
type getter struct {
	urlFetching
	program  *program
	client   *http1.Client
	recorder *poetry.Recorder
	status   []string // of the answers
	next     int
}

// fetch has as many tasks as may fetch at a time, each of which takes the next URL until there is none.
func (g *getter) fetch(t *task.Task) error {
	return task.WithGroup(t, func(_ *task.Task, all *task.Group) error {
		for range min(g.concurrency, len(g.urls)) {
			all.Go(func(t *task.Task) error {
				for g.next < len(g.urls) {
					i := g.next
					g.next++
					g.recorder.Start(i + 1)
					g.recorder.End(i+1, inWords(g.fetchOne(t, i)))
				}
				return nil // a failure is the report's: the others go on
			})
		}
		return nil
	})
}

func (g *getter) fetchOne(t *task.Task, i int) error {
	if err := t.Err(); err != nil {
		return errCancelled // do not begin what comes after a cancelled one
	}
	req, err := http.NewRequest(http.MethodGet, g.urls[i], nil) //nolint:noctx // the task is cancelled
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "rondo-fetch/1")
	res, err := g.client.FetchTask(t, req)
	if err != nil {
		return orCancelledTask(t, err)
	}
	defer res.Body.Close()
	g.status[i] = printable(res.Status)
	g.recorder.Connected(i + 1)
	for p := make([]byte, 32<<10); ; {
		n, err := res.Body.Read(p)
		if n > 0 {
			if err := g.recorder.Data(i+1, p[:n]); err != nil {
				return fmt.Errorf("the body is longer than the %d MiB that are kept", poetry.DefaultMaxBytes>>20)
			}
		}
		switch {
		case err == io.EOF && res.StatusCode >= http.StatusBadRequest: //nolint:errorlint // bare by io.Reader's contract
			return fmt.Errorf("the server says %s", g.status[i])
		case err == io.EOF: //nolint:errorlint // likewise
			return nil
		case err != nil:
			return orCancelledTask(t, err)
		}
	}
}

var errCancelled = errors.New("cancelled")

func orCancelledTask(t *task.Task, err error) error {
	if t.Err() != nil {
		return errCancelled
	}
	return err
}

// fetchFailure is a failure in this command's words, which the report takes as it is: what it would say itself is about poems.
type fetchFailure string

func (f fetchFailure) Error() string { return string(f) }

func inWords(err error) error {
	if err == nil {
		return nil
	}
	if outer, ok := errors.AsType[*url.Error](err); ok && !errors.Is(err, rondo.ErrEngineClosed) {
		err = outer.Err // the URL is said already
	}
	return fetchFailure(strings.TrimPrefix(explain(err), "http1: "))
}

// say tells of one URL when it is over.
func (g *getter) say(w io.Writer, e poetry.Event) {
	switch e.Kind {
	case poetry.EventFinished:
		fmt.Fprintf(w, "%s: %s, %s in %s\n", e.Address, g.status[e.Task-1], count(e.Bytes, "byte"), poetry.FormatElapsed(e.Elapsed))
	case poetry.EventFailed:
		fmt.Fprintf(w, "%s failed: %s\n", e.Address, g.reason(e.Err))
	}
}

// reason is what went wrong, in the words of inWords.
func (*getter) reason(err error) string {
	if words, ok := errors.AsType[fetchFailure](err); ok {
		return string(words)
	}
	return explain(err)
}

// sayAll tells of all of them, behind the bars.
func (g *getter) sayAll(w io.Writer, report *poetry.Report) {
	for i := range report.Tasks {
		f := &report.Tasks[i]
		e := poetry.Event{Kind: poetry.EventFinished, Task: f.Task, Address: f.Address, Elapsed: f.Elapsed(), Bytes: f.Bytes, Err: f.Err}
		if f.Err != nil {
			e.Kind = poetry.EventFailed
		}
		g.say(w, e)
	}
}

// keep writes what is wanted beyond the lines, and says how it went.
func (g *getter) keep(ctx context.Context, report *poetry.Report) error {
	p := g.program
	written := 0
	for i := range report.Tasks {
		f := &report.Tasks[i]
		if f.Err != nil {
			continue
		}
		if g.print {
			body := f.Poem
			if isTerminal(p.out) {
				body = []byte(harmless(body))
			}
			if _, err := p.out.Write(body); err != nil {
				return err
			}
		}
		if g.output != "" {
			if err := writeWhole(g.output, bodyFile(f), f.Poem); err != nil {
				return fmt.Errorf("writing the body of %s: %w", f.Address, err)
			}
			written++
		}
	}
	if g.output != "" {
		fmt.Fprintf(p.errs, "Wrote %s into %s.\n", count(written, "file"), g.output)
	}
	if g.timeline != "" {
		if err := poetry.WriteTimeline(g.timeline, report); err != nil {
			return err
		}
		fmt.Fprintf(p.errs, "Wrote the timeline %s.\n", g.timeline)
	}
	if report.Failed() > 0 || ctx.Err() != nil {
		return errReported
	}
	return nil
}

// bodyFile is a name that is safe on every system, and that no two of a run share: the number, and the last of the URL's path.
func bodyFile(f *poetry.Fetch) string {
	name := "index.html"
	if u, err := url.Parse(f.Address); err == nil {
		if base := filepath.Base(filepath.FromSlash(u.Path)); len(base) > 1 && !strings.HasSuffix(u.Path, "/") {
			name = base
		}
	}
	safe := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, name)
	const longest = 100
	return fmt.Sprintf("%d-%s", f.Task, safe[max(0, len(safe)-longest):])
}
