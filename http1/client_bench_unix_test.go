//go:build unix

package http1_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/task"
)

// serverVariable has this test's binary be the server of the benchmarks, in a process of its own, so that what is measured is the client alone.
const serverVariable = "RONDO_BENCH_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(serverVariable) == "" {
		os.Exit(m.Run())
	}
	page := []byte(strings.Repeat("a small page ", 8))
	e, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		panic(err)
	}
	h := http1.NonBlocking(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = []string{"text/plain"}
		_, _ = w.Write(page) // who has left has left
	}))
	ln, err := e.Listen("tcp", "127.0.0.1:0", (&http1.Server{Handler: h}).Protocol)
	if err != nil {
		panic(err)
	}
	fmt.Println(ln.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin) // until the benchmark ends
}

func benchServer(b *testing.B) string {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), serverVariable+"=1")
	if _, err := cmd.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Wait() }) // the context has killed it
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return "http://" + strings.TrimSpace(line) + "/"
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFetch has a thousand fetches of a small page under way at any time, and says what processor time one takes this process: cpu-ns/op. The server is another process.
func BenchmarkFetch(b *testing.B) {
	const concurrent = 1000
	at := benchServer(b)
	goroutines := func(tr http.RoundTripper) func(n int) {
		c := &http.Client{Transport: tr}
		return func(n int) {
			var all sync.WaitGroup
			next := make(chan struct{}, n)
			for range n {
				next <- struct{}{}
			}
			close(next)
			for range min(concurrent, n) {
				all.Go(func() {
					for range next {
						res, err := c.Get(at)
						if err != nil {
							b.Error(err)
							return
						}
						if _, err := io.Copy(io.Discard, res.Body); err != nil {
							b.Error(err)
						}
						res.Body.Close()
					}
				})
			}
			all.Wait()
		}
	}
	e := rig.New(b, rondo.Config{})
	l := e.Loop()
	c := &http1.Client{Transport: &http1.Transport{}}
	for _, client := range []struct {
		name string
		run  func(n int)
	}{
		{"net/http", goroutines(&http.Transport{MaxIdleConns: concurrent, MaxIdleConnsPerHost: concurrent})},
		{"RoundTripper", goroutines(&http1.Transport{Engine: e.Engine})},
		{"callback", func(n int) {
			done := make(chan struct{})
			begun, ended := 0, 0
			var one func()
			one = func() {
				if begun == n {
					return
				}
				begun++
				req, err := http.NewRequest(http.MethodGet, at, nil) //nolint:noctx,usetesting // as the others do
				if err != nil {
					b.Error(err)
				}
				c.FetchFunc(l, req, func(res *http.Response, err error) {
					if err != nil {
						b.Error(err)
					} else if _, err := io.Copy(io.Discard, res.Body); err != nil {
						b.Error(err)
					}
					if ended++; ended == n {
						close(done)
					}
					one()
				})
			}
			l.Post(func() {
				for range concurrent {
					one()
				}
			})
			<-done
		}},
		{"task", func(n int) {
			begun := 0
			rig.Result(b, task.Go(l, func(t *task.Task) (struct{}, error) {
				return struct{}{}, task.WithGroup(t, func(_ *task.Task, g *task.Group) error {
					for range min(n, concurrent) {
						g.Go(func(t *task.Task) error {
							for begun < n {
								begun++
								req, err := http.NewRequest(http.MethodGet, at, nil) //nolint:noctx,usetesting // likewise
								if err != nil {
									return err
								}
								res, err := c.FetchTask(t, req)
								if err != nil {
									return err
								}
								if _, err := io.Copy(io.Discard, res.Body); err != nil {
									return err
								}
								res.Body.Close()
							}
							return nil
						})
					}
					return nil
				})
			}))
		}},
	} {
		b.Run(client.name, func(b *testing.B) {
			client.run(2 * concurrent) // the connections are made
			b.ReportAllocs()
			b.ResetTimer()
			began := processorTime()
			client.run(b.N)
			b.ReportMetric(float64(processorTime()-began)/float64(b.N), "cpu-ns/op")
		})
	}
}
