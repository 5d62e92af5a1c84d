//go:build unix

package endpoint_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// child is this test's program as a process that serves at an endpoint, by way of a shell that says what else there is to say.
func child(t *testing.T, at, script string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", script)
	cmd.Env = append(os.Environ(), "ENDPOINT_OF_CHILD="+at, "SELF="+self)
	return cmd
}

// Sockets that were passed to a process are served, by name, by number, and alone; and stay in their folder at the end.
func TestActivation(t *testing.T) {
	for name, c := range map[string]struct{ at, script string }{
		"alone":     {"systemd:", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$SELF"`},
		"by name":   {"systemd:web", `LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:other exec "$SELF"`},
		"by number": {"systemd:0", `LISTEN_PID=$$ LISTEN_FDS=2 exec "$SELF"`},
	} {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(name+"/"+network, func(t *testing.T) {
				address := "127.0.0.1:0"
				if network == "unix" {
					address = filepath.Join(t.TempDir(), "s")
				}
				ln, err := net.Listen(network, address)
				if err != nil {
					t.Fatal(err)
				}
				defer ln.Close()
				f, err := ln.(interface{ File() (*os.File, error) }).File()
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				cmd := child(t, c.at, c.script)
				cmd.ExtraFiles = []*os.File{f, f}
				var errs bytes.Buffer
				cmd.Stderr = &errs
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				conn, err := net.Dial(network, ln.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				_, _ = io.WriteString(conn, "Knock knock\r\n")
				_ = conn.(interface{ CloseWrite() error }).CloseWrite()
				if got, err := io.ReadAll(conn); string(got) != "Who's there?\r\n" || err != nil {
					t.Errorf("%q, %v", got, err)
				}
				if err := cmd.Wait(); err != nil {
					t.Errorf("%v: %s", err, &errs)
				}
				if network == "unix" {
					if _, err := os.Stat(address); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

// What was passed wrongly is refused in one sentence.
func TestActivationRefused(t *testing.T) {
	for name, c := range map[string]struct{ at, script, want string }{
		"nothing":         {"systemd:", `exec "$SELF"`, "no socket was passed"},
		"another's":       {"systemd:", `LISTEN_PID=1 LISTEN_FDS=1 exec "$SELF"`, "no socket was passed"},
		"no number":       {"systemd:", `LISTEN_PID=$$ LISTEN_FDS=x exec "$SELF"`, `LISTEN_FDS is "x"`},
		"too many":        {"systemd:", `LISTEN_PID=$$ LISTEN_FDS=100000 exec "$SELF"`, "from 0 to 1024"},
		"names":           {"systemd:", `LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=a:b exec "$SELF"`, "2 names, and LISTEN_FDS is 1"},
		"which":           {"systemd:", `LISTEN_PID=$$ LISTEN_FDS=2 exec "$SELF"`, "say which"},
		"no such name":    {"systemd:web", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$SELF"`, "no socket of that name"},
		"no such number":  {"systemd:1", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$SELF"`, "numbers from 0"},
		"a file":          {"systemd:", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$SELF"`, "it is no socket"},
		"one not passed":  {"systemd:1", `LISTEN_PID=$$ LISTEN_FDS=2 exec "$SELF" 4<&-`, "listen"},
		"does not listen": {"systemd:1", `LISTEN_PID=$$ LISTEN_FDS=2 exec "$SELF"`, "a socket that does not listen"},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := os.Open("/dev/null")
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			conn, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			plain, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer plain.Close()
			socket, err := plain.(*net.TCPConn).File()
			if err != nil {
				t.Fatal(err)
			}
			defer socket.Close()
			cmd := child(t, c.at, c.script)
			cmd.ExtraFiles = []*os.File{file, socket}
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), c.want) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// Standard input and output are one connection, whether they are pipes or files.
func TestStdio(t *testing.T) {
	dir := t.TempDir()
	joke := "Knock knock\r\nBoo\r\n"
	if err := os.WriteFile(filepath.Join(dir, "in"), []byte(joke), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{
		"pipes":           `cat "` + dir + `/in" | "$SELF" | cat`,
		"files":           `"$SELF" <"` + dir + `/in" >"` + dir + `/out"; cat "` + dir + `/out"`,
		"a file and pipe": `"$SELF" <"` + dir + `/in" | cat`,
	} {
		t.Run(name, func(t *testing.T) {
			out, err := child(t, "stdio:", script).CombinedOutput()
			if want := "Who's there?\r\nBoo who?\r\n"; string(out) != want || err != nil {
				t.Errorf("%q, %v", out, err)
			}
		})
	}
	t.Run("nothing", func(t *testing.T) {
		if out, err := child(t, "stdio:", `"$SELF" </dev/null`).CombinedOutput(); len(out) > 0 || err != nil {
			t.Errorf("%q, %v", out, err)
		}
	})
}
