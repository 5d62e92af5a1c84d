package rondo_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/rig"
)

// sentFile is what done was told.
type sentFile struct {
	n   int64
	err error
}

// scrambled is data in which nothing can be exchanged or missing unseen.
func scrambled(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{15}).Read(data)
	return data
}

// fileWith is a file on disk.
func fileWith(t testing.TB, data []byte) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// copying is an engine whose pollers are no FileSenders, so that it copies.
func copying(t testing.TB) *engine {
	return newEngineOver(t, rondo.Config{}, func(p poller.Poller) poller.Poller { return &faulty{Poller: p} })
}

// eachTransfer runs a test once for every way in which a file is sent.
func eachTransfer(t *testing.T, test func(t *testing.T, e *engine, open func(data []byte) fs.File)) {
	disk := func(t *testing.T) func([]byte) fs.File {
		return func(data []byte) fs.File { return fileWith(t, data) }
	}
	t.Run("kernel", func(t *testing.T) { test(t, newTestEngine(t, rondo.Config{}), disk(t)) })
	t.Run("copied", func(t *testing.T) { test(t, copying(t), disk(t)) })
	t.Run("off the loop", func(t *testing.T) {
		test(t, newTestEngine(t, rondo.Config{}), func(data []byte) fs.File {
			f, err := fstest.MapFS{"file": {Data: data}}.Open("file")
			if err != nil {
				t.Fatal(err)
			}
			return f
		})
	})
}

// What is written before a file arrives before it, and what is written after it behind it; so do two files in a row, a piece of one, none of one, and all that is written from its done.
func TestSendFileOrder(t *testing.T) {
	eachTransfer(t, func(t *testing.T, e *engine, open func([]byte) fs.File) {
		data := scrambled(700_000)
		r := newRecorder(t)
		peer := e.connect(r)
		c := rig.Await(t, r.made)
		told := make(chan sentFile, 9)
		rig.On(t, c.Loop(), func() {
			send := func(offset, n int64) {
				inside := true
				_, err := c.SendFile(open(data), offset, n, func(n int64, err error) {
					if inside {
						t.Error("done was called from within SendFile")
					}
					told <- sentFile{n, err}
					if offset == 7 {
						_, _ = c.Write([]byte("(done)"))
						_ = c.Close()
					}
				})
				if inside = false; err != nil {
					t.Error(err)
				}
			}
			_, _ = c.Write([]byte("first"))
			send(0, -1)
			send(100, 0)
			_, _ = c.Write([]byte("between"))
			send(600_000, 50_000)
			_, _ = c.Write([]byte("more"))
			send(700_000, -1)
			send(7, 300)
			_, _ = c.Write(data[:20_000])
		})
		want := bytes.Join([][]byte{[]byte("first"), data, []byte("between"), data[600_000:650_000], []byte("more"), data[7:307], data[:20_000], []byte("(done)")}, nil)
		got, err := io.ReadAll(peer)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes came (%v), want %d, and these; equal before %d", len(got), err, len(want), common(got, want))
		}
		for _, want := range []int64{700_000, 0, 50_000, 0, 300} {
			if s := rig.Await(t, told); s.n != want || s.err != nil {
				t.Errorf("done was told %d, %v, want %d", s.n, s.err, want)
			}
		}
		rig.Await(t, r.lost)
	})
}

// common is how many bytes a and b have in common at their beginning.
func common(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// A large file to a peer that reads late: nothing is kept, others have their turn, and Close sends all of it first. So does a shutdown.
func TestSendFileSlowReader(t *testing.T) {
	const size = 100 << 20
	f := fileWith(t, nil)
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("end"), size-3); err != nil {
		t.Fatal(err)
	}
	for _, way := range []string{"kernel", "copied"} {
		t.Run(way, func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{})
			if way == "copied" {
				e = copying(t)
			}
			r := newRecorder(t)
			peer := e.connect(r)
			c := rig.Await(t, r.made)
			told := make(chan sentFile, 1)
			var transfer *rondo.FileTransfer
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			rig.On(t, c.Loop(), func() {
				var err error
				if transfer, err = c.SendFile(f, 0, size, func(n int64, err error) { told <- sentFile{n, err} }); err != nil {
					t.Error(err)
				}
				_, _ = c.Write([]byte("last"))
			})
			ended := make(chan error, 1)
			if _, err := io.ReadFull(peer, make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			rig.On(t, c.Loop(), func() {
				if n := c.Buffered(); n > 200<<10 {
					t.Errorf("%d bytes are kept", n)
				}
				if n := transfer.Sent(); n < 1000 || n == size {
					t.Errorf("%d bytes were sent to a peer that has read 1000", n)
				}
				if way == "kernel" {
					_ = c.Close()
				} else {
					go func() { ended <- e.Shutdown(t.Context()) }()
				}
			})
			n := 1000
			var tail []byte
			for buf := make([]byte, 1<<20); ; {
				k, err := peer.Read(buf)
				n += k
				tail = append(tail, buf[max(0, k-7):k]...)
				tail = append(tail[:0], tail[max(0, len(tail)-7):]...)
				if err == io.EOF { //nolint:errorlint // a net.Conn's is bare
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if n != size+4 || string(tail) != "endlast" {
				t.Errorf("%d bytes came, the last %q", n, tail)
			}
			if s := rig.Await(t, told); s.n != size || s.err != nil {
				t.Errorf("done was told %d, %v", s.n, s.err)
			}
			if way == "copied" {
				if err := rig.Await(t, ended); err != nil {
					t.Errorf("Shutdown: %v", err)
				}
			}
			rig.Await(t, r.lost)
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 16<<20 {
				t.Errorf("%d bytes were allocated", grown)
			}
		})
	}
}

// broken is a file that fails when it has given some of its bytes.
type broken struct {
	fs.File
	left int
	err  error
}

func (b *broken) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, b.err
	}
	n := min(b.left, len(p))
	b.left -= n
	return n, nil
}

var errBroken = errors.New("broken")

// A file that is too short, cannot be read, or is closed meanwhile resets the connection: the peer must not take what it has for the whole. Done comes first, and the next file's too.
func TestSendFileFails(t *testing.T) {
	cases := map[string]struct {
		file func(t *testing.T) fs.File
		want error
		sent int64
	}{
		"short": {func(t *testing.T) fs.File { return fileWith(t, make([]byte, 999)) }, io.ErrUnexpectedEOF, 999},
		"short, off the loop": {func(t *testing.T) fs.File {
			return &broken{File: fileWith(t, nil), left: 70_000, err: io.EOF}
		}, io.ErrUnexpectedEOF, 70_000},
		"read": {func(t *testing.T) fs.File {
			return &broken{File: fileWith(t, nil), left: 70_000, err: errBroken}
		}, errBroken, 70_000},
		"no progress": {func(t *testing.T) fs.File {
			return lazy{fileWith(t, nil)}
		}, io.ErrNoProgress, 0},
		"closed": {func(t *testing.T) fs.File {
			return fileWith(t, make([]byte, 200_000))
		}, os.ErrClosed, 0},
		"closed, off the loop": {func(t *testing.T) fs.File {
			return &closesItself{fileWith(t, make([]byte, 200_000))}
		}, os.ErrClosed, 0},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{})
			r := newRecorder(t)
			peer := e.connect(r)
			c := rig.Await(t, r.made)
			told := make(chan sentFile, 2)
			rig.On(t, c.Loop(), func() {
				for range 2 {
					f := x.file(t)
					if _, err := c.SendFile(f, 0, 200_000, func(n int64, err error) { told <- sentFile{n, err} }); err != nil {
						t.Error(err)
					}
					if name == "closed" {
						f.Close()
					}
				}
				_, _ = c.Write([]byte("never"))
			})
			s := rig.Await(t, told)
			if failed, ok := errors.AsType[*fs.PathError](s.err); !ok || !errors.Is(failed, x.want) || s.n != x.sent {
				t.Errorf("done was told %d, %v, want %d and a PathError of %v", s.n, s.err, x.sent, x.want)
			}
			if second := rig.Await(t, told); second.n != 0 || second.err != s.err { //nolint:errorlint // the very same
				t.Errorf("the second was told %d, %v", second.n, second.err)
			}
			if err := rig.Await(t, r.lost); err != s.err { //nolint:errorlint // likewise
				t.Errorf("ConnectionLost got %v", err)
			}
			if _, err := io.Copy(io.Discard, peer); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the peer was told %v, want a reset", err)
			}
		})
	}
}

// lazy is a file that gives nothing, and does not say why.
type lazy struct{ fs.File }

func (lazy) Read([]byte) (int, error) { return 0, nil }

// closesItself is a file that its owner closes too soon.
type closesItself struct{ *os.File }

func (f *closesItself) Read(p []byte) (int, error) {
	f.File.Close()
	return f.File.Read(p)
}

// A file that shrinks while it is sent is noticed, whichever way it is sent.
func TestSendFileTruncated(t *testing.T) {
	for _, way := range []string{"kernel", "copied"} {
		t.Run(way, func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{})
			if way == "copied" {
				e = copying(t)
			}
			const size = 64 << 20
			f := fileWith(t, nil)
			if err := f.Truncate(size); err != nil {
				t.Fatal(err)
			}
			r := newRecorder(t)
			peer := e.connect(r)
			c := rig.Await(t, r.made)
			told := make(chan sentFile, 1)
			rig.On(t, c.Loop(), func() {
				_, err := c.SendFile(f, 0, size, func(n int64, err error) { told <- sentFile{n, err} })
				if err != nil {
					t.Error(err)
				}
			})
			if _, err := io.ReadFull(peer, make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			if err := f.Truncate(1000); err != nil {
				t.Fatal(err)
			}
			_, err := io.Copy(io.Discard, peer)
			if !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the peer was told %v, want a reset", err)
			}
			if s := rig.Await(t, told); s.n >= size || !errors.Is(s.err, io.ErrUnexpectedEOF) {
				t.Errorf("done was told %d, %v", s.n, s.err)
			}
			rig.Await(t, r.lost)
		})
	}
}

// Ends: by Stop the connection goes on, behind what was sent; Abort, and a peer that goes, are told to done.
func TestSendFileEnds(t *testing.T) {
	t.Run("stop", func(t *testing.T) {
		eachTransfer(t, func(t *testing.T, e *engine, open func([]byte) fs.File) {
			data := scrambled(32 << 20)
			r := newRecorder(t)
			peer := e.connect(r)
			c := rig.Await(t, r.made)
			told := make(chan sentFile, 1)
			var transfer *rondo.FileTransfer
			rig.On(t, c.Loop(), func() {
				transfer, _ = c.SendFile(open(data), 0, -1, func(n int64, err error) { told <- sentFile{n, err} })
				_, _ = c.Write([]byte("behind"))
			})
			head := make([]byte, 1000)
			if _, err := io.ReadFull(peer, head); err != nil {
				t.Fatal(err)
			}
			rig.On(t, c.Loop(), func() {
				transfer.Stop()
				transfer.Stop()
				_ = c.Close()
			})
			got, err := io.ReadAll(peer)
			s := rig.Await(t, told)
			if got = append(head, got...); err != nil || s.err != rondo.ErrSendStopped || !bytes.Equal(got, append(data[:s.n:s.n], "behind"...)) { //nolint:errorlint // bare
				t.Errorf("%d bytes came (%v); done was told %d, %v", len(got), err, s.n, s.err)
			}
			rig.Await(t, r.lost)
		})
	})
	for name, end := range map[string]func(c *rondo.Conn, peer *net.TCPConn){
		"abort": func(c *rondo.Conn, _ *net.TCPConn) { c.Handle().Abort() },
		"peer":  func(_ *rondo.Conn, peer *net.TCPConn) { _ = peer.SetLinger(0); peer.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			eachTransfer(t, func(t *testing.T, e *engine, open func([]byte) fs.File) {
				r := newRecorder(t)
				peer := e.connect(r)
				c := rig.Await(t, r.made)
				told := make(chan sentFile, 1)
				rig.On(t, c.Loop(), func() {
					_, _ = c.SendFile(open(make([]byte, 32<<20)), 0, -1, func(n int64, err error) { told <- sentFile{n, err} })
				})
				if _, err := io.ReadFull(peer, make([]byte, 1000)); err != nil {
					t.Fatal(err)
				}
				end(c, peer)
				lost := rig.Await(t, r.lost)
				if s := rig.Await(t, told); s.err != lost || lost == nil || s.n < 1000 { //nolint:errorlint // the very same
					t.Errorf("done was told %d, %v, and ConnectionLost %v", s.n, s.err, lost)
				}
				if name == "abort" && lost != rondo.ErrAborted { //nolint:errorlint // bare
					t.Errorf("ConnectionLost got %v", lost)
				}
			})
		})
	}
}

// What cannot be sent is refused at once.
func TestSendFileRefuses(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	peer := e.connect(r)
	c := rig.Await(t, r.made)
	rig.On(t, c.Loop(), func() {
		if _, err := c.SendFile(lazy{fileWith(t, nil)}, 1, -1, nil); err == nil {
			t.Error("a file that is neither a ReaderAt nor a Seeker was sent from its second byte")
		}
		closed := fileWith(t, nil)
		closed.Close()
		if _, err := c.SendFile(closed, 0, -1, nil); !errors.Is(err, os.ErrClosed) {
			t.Errorf("a closed file: %v", err)
		}
		_ = c.CloseWrite()
		if _, err := c.SendFile(fileWith(t, nil), 0, -1, nil); err != rondo.ErrClosed { //nolint:errorlint // bare
			t.Errorf("after CloseWrite: %v", err)
		}
	})
	rig.ExpectEnd(t, peer, "")
}

// A peer that has ended its own direction is sent the whole file; what waits behind a file counts for the water marks.
func TestSendFileHalfClosed(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	paused, resumed := make(chan struct{}, 9), make(chan struct{}, 9)
	r.onPause = func(*rondo.Conn) { paused <- struct{}{} }
	r.onResume = func(c *rondo.Conn) {
		resumed <- struct{}{}
		_ = c.CloseWrite()
	}
	const size = 32 << 20
	f := fileWith(t, nil)
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	r.onEOF = func(c *rondo.Conn) {
		if _, err := c.SendFile(f, 0, -1, nil); err != nil {
			t.Error(err)
		}
		_, _ = c.Write(make([]byte, 100_000))
	}
	peer := e.connect(fullRecorder{r})
	rig.Await(t, r.made)
	if err := peer.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	rig.Await(t, paused)
	if n, err := io.Copy(io.Discard, peer); n != size+100_000 || err != nil {
		t.Errorf("%d bytes came (%v)", n, err)
	}
	rig.Await(t, resumed)
	rig.On(t, e.Loops()[0], func() {})
}

// One peer that reads as fast as it can does not keep others from their turn.
func TestSendFileFair(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	const size = 256 << 20
	f := fileWith(t, nil)
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	r := newRecorder(t)
	peer := e.connect(r)
	c := rig.Await(t, r.made)
	var most int64
	over := make(chan struct{})
	rig.On(t, c.Loop(), func() {
		var transfer *rondo.FileTransfer
		last := int64(0)
		var look *rondo.Stage
		look = c.Loop().NewStage(func() {
			most = max(most, transfer.Sent()-last)
			last = transfer.Sent()
			look.Arm()
		})
		transfer, _ = c.SendFile(f, 0, -1, func(int64, error) { close(over); _ = c.Close() })
		look.Arm()
	})
	if n, err := io.Copy(io.Discard, peer); n != size || err != nil {
		t.Errorf("%d bytes came (%v)", n, err)
	}
	rig.Await(t, over)
	rig.Await(t, r.lost)
	rig.On(t, c.Loop(), func() {
		if most == 0 || most > 1<<20 {
			t.Errorf("%d bytes were sent in one turn", most)
		}
	})
}

// io.Copy and net/http send files by ReadFrom of the net.Conn.
func TestNetConnReadFrom(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	data := scrambled(3 << 20)
	ln, err := e.ListenNet("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := fileWith(t, data)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "x.bin", time.Time{}, f)
	}), ReadHeaderTimeout: rig.Patience}
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(ln) })
	defer wg.Wait()
	defer srv.Close()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+ln.Addr().String(), nil)
	req.Header.Set("Range", "bytes=1000-2000999")
	client := http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || !bytes.Equal(got, data[1000:2_001_000]) {
		t.Errorf("%d bytes came (%v)", len(got), err)
	}
}

// What ReadFrom says, and what is left of the file and of the LimitedReader: all sent, out of time, closed meanwhile.
func TestNetConnReadFromEnds(t *testing.T) {
	const size = 64 << 20
	for name, x := range map[string]struct {
		cut  func(c net.Conn)
		want error
	}{
		"all":      {},
		"deadline": {func(c net.Conn) { _ = c.SetWriteDeadline(time.Now().Add(20 * time.Millisecond)) }, os.ErrDeadlineExceeded},
		"closed":   {func(c net.Conn) { c.Close() }, net.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{})
			f := fileWith(t, nil)
			if err := f.Truncate(size); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Seek(10, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			r := newRecorder(t)
			peer := e.connect(r)
			conn := rig.Await(t, r.made)
			var c net.Conn
			rig.On(t, conn.Loop(), func() { c = rondo.NetConn(conn) })
			defer c.Close()
			if _, err := c.Write([]byte("head")); err != nil {
				t.Fatal(err)
			}
			limited := &io.LimitedReader{R: f, N: size}
			type result struct {
				n   int64
				err error
			}
			results := make(chan result, 1)
			go func() {
				n, err := c.(io.ReaderFrom).ReadFrom(limited)
				results <- result{n, err}
			}()
			head := make([]byte, 1000)
			if _, err := io.ReadFull(peer, head); err != nil || string(head[:5]) != "head\x00" {
				t.Fatalf("%q came first (%v)", head[:5], err)
			}
			if x.cut != nil {
				x.cut(c)
			} else {
				go func() { _, _ = io.Copy(io.Discard, peer) }()
			}
			got := rig.Await(t, results)
			if !errors.Is(got.err, x.want) || (got.err == nil) != (got.n == size-10) {
				t.Errorf("ReadFrom: %d, %v, want %v", got.n, got.err, x.want)
			}
			if at, err := f.Seek(0, io.SeekCurrent); err != nil || at != 10+got.n || limited.N != size-got.n {
				t.Errorf("the file is at %d and the limit at %d after %d bytes (%v)", at, limited.N, got.n, err)
			}
		})
	}
}
