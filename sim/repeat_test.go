package sim_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sh runs a command line in the folder of the module.
func sh(t *testing.T, line string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Dir = ".."
	out, err := cmd.CombinedOutput()
	if _, failed := err.(*exec.ExitError); !failed { //nolint:errorlint // package exec does not wrap it
		t.Fatalf("%s\nis expected to fail, and to say why: %v\n%s", line, err, out)
	}
	return string(out)
}

var (
	failure = regexp.MustCompile(`seed \d+: (call .*)`)
	enough  = regexp.MustCompile(`Of its (\d+) faults these are enough .*\n((?: +.+\n)+?) +to repeat it: (.*)`)
	happens = regexp.MustCompile(`(?m)^.* fault +(.*)$`)
)

// The command line that Search gives for a test is a command line: it fails again, in the same way and with the faults that were found to be enough, and
// that test alone does, whatever its name.
func TestRepeatByCommandLine(t *testing.T) {
	if raceDetector {
		t.Skip("needs no race detector: the programs that it runs have none")
	}
	for _, tool := range []string{"go", "sh"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	dir := t.TempDir()
	log := func(name string) string { return filepath.Join(dir, name) }
	found := sh(t, "go test ./sim/testdata/failing -rondo.log='"+log("found.log")+"'")
	errors, reports := failure.FindAllStringSubmatch(found, -1), enough.FindAllStringSubmatch(found, -1)
	if len(errors) != 2 || len(reports) != 2 {
		t.Fatalf("it says %s", found)
	}
	for i, report := range reports {
		all, faults, line := report[1], strings.Fields(report[2]), report[3]
		if all == "1" || len(faults) != 2 { // abort, and of what
			t.Errorf("of %s faults %q are left", all, faults)
		}
		said := sh(t, line+" -rondo.log='"+log("again.log")+"'")
		again := failure.FindAllStringSubmatch(said, -1)
		if len(again) != 1 || again[0][1] != errors[i][1] || strings.Count(said, "--- FAIL: TestFailing/") != 1 || !strings.Contains(said, log("again.log")) {
			t.Errorf("%s\nsays %s\nin place of %s", line, said, errors[i][1])
		}
	}
	first, err := os.ReadFile(log("found.log"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(log("again.log"))
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("the log of the run that was found and that of the second differ, or %v", err)
	}
	var happened []string
	for _, m := range happens.FindAllStringSubmatch(string(second), -1) {
		happened = append(happened, m[1])
	}
	if want := strings.TrimSpace(reports[1][2]); !slices.Equal(happened, []string{want}) {
		t.Errorf("the faults %q happen, in place of %q", happened, want)
	}
}
