package simtest

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// The bugs that mutants.sh plants can still be planted: whoever changes the code around one changes its patch too.
func TestMutantsApply(t *testing.T) {
	if _, err := exec.LookPath("patch"); err != nil {
		t.Skip("patch is not installed")
	}
	names, err := filepath.Glob("testdata/mutants/*.patch")
	if err != nil || len(names) == 0 {
		t.Fatalf("the patches: %q, %v", names, err)
	}
	for _, name := range names {
		file, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		// Without fuzz, which may find another place that looks alike.
		cmd := exec.CommandContext(t.Context(), "patch", "--dry-run", "-f", "-F0", "-p1", "-d", "../..", "-i", file)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s no longer applies (%v): make it anew, so that it plants the same bug in the code as it is\n%s", name, err, out)
		}
	}
}
