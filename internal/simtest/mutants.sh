#!/usr/bin/env bash
# Plants bugs, one at a time, in a copy of the tree, and says after how many seeds the simulations find each: mutants.sh [name ...]
# Ends with an error if one is not found.
set -euo pipefail
cd "$(dirname "$0")/../.."
seeds=${SEEDS:-1000}
patches=$PWD/internal/simtest/testdata/mutants
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z | tar --null -T - -cf - | tar -xf - -C "$copy"
cd "$copy"
missed=0
names=("$@")
for name in "$@"; do
	[ -f "$patches/$name.patch" ] || { echo "mutants.sh: there is no bug $name: give names of files in internal/simtest/testdata/mutants, without .patch" >&2; exit 2; }
done
[ $# -gt 0 ] || names=($(cd "$patches" && ls ./*.patch | sed 's,^./,,; s,[.]patch$,,'))
printf '| Bug | Found by | Seeds | Time |\n| --- | --- | --- | --- |\n'
for name in "${names[@]}"; do
	patch -s -p1 <"$patches/$name.patch"
	if ! go test -c -o simtest.test ./internal/simtest; then
		printf '| %s | does not compile | | |\n' "$name" && missed=1
	else
		began=$(date +%s.%N)
		# A bug may also have a world wait for real, which the time limit ends. The first that fails ends the run.
		if ./simtest.test -test.failfast -test.skip=TestMutantsApply -test.parallel=1 -test.timeout=120s -rondo.seeds="$seeds" >out.txt 2>&1; then
			found='**not found**' after= missed=1
		else
			found=$(sed -nE 's/^ *--- FAIL: (Test[A-Za-z]+\/[a-z]+).*/\1/p' out.txt | head -1)
			after=$(sed -nE 's/.*sim: seed ([0-9]+) fails.*/\1/p' out.txt | head -1)
			[ -n "$found" ] || found='the time limit, or a crash'
		fi
		printf '| %s | %s | %s | %.1f s |\n' "$name" "$found" "$after" "$(awk -v a="$began" -v b="$(date +%s.%N)" 'BEGIN {print b - a}')"
	fi
	patch -s -R -p1 <"$patches/$name.patch"
done
exit $missed
