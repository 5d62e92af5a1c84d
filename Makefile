# The commands of everyday work. `make` alone lists them; `make test` is what must pass before a change lands.
# Written for GNU make 3.81, which is what macOS has.

SHELL := bash
.DEFAULT_GOAL := help
# The steps of `make test` stop at the first that fails, so their order counts, under -j too.
.NOTPARALLEL:

# Where git distrusts the owner of the checkout (a container's), stamping the revision fails the build.
export GOFLAGS := $(strip $(GOFLAGS) -buildvcs=false)

# Builds for these must not break. Each is vetted too, which type-checks its tests.
PLATFORMS := linux/amd64 linux/arm64 darwin/arm64 freebsd/amd64 openbsd/amd64 netbsd/amd64 windows/amd64

# The whole suite runs once with each of these; the one people get by default comes last.
ifeq ($(shell uname -s),Linux)
POLLERS ?= select poll epoll
else
POLLERS ?= kqueue
endif

# One system of each family, since lint sees only the files that its system builds.
LINT_GOOS ?= linux darwin

# What to pass on to go test: make test TESTFLAGS=-short
TESTFLAGS ?=
RACE      ?= -race
FUZZTIME  ?= 10s
BENCH     ?= .
COUNT     ?= 6
SOAK      ?= .
# A soak goes on FOR so long, or through so many SEEDS of each simulation, beginning FROM a seed that the clock gives.
SEEDS     ?=
ifeq ($(SEEDS),)
FOR       ?= 5m
endif
FROM      ?=
# Which bugs make mutants plants; none named, all.
MUTANTS   ?=

BUILDS := $(addprefix build-,$(PLATFORMS))
RUNS   := $(addprefix test-,$(POLLERS))
LINT   := .bin/golangci-lint

# Announces a step. When it fails, make's own last line names it: "*** [Makefile:60: vet] Error 1".
step = @printf '\n== %s\n' '$(1)'

.PHONY: help
help: ## this list
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-14s %s\n", $$1, $$2}'

# The race runs come last, so that go test's own summary is the end of the output.
.PHONY: test
test: setup tidy vet lint $(BUILDS) bench-module plain $(RUNS) ## everything that must pass, once per poller under the race detector

.PHONY: quick
quick: ## the tests alone, with the default poller
	@go test $(TESTFLAGS) ./...

.PHONY: setup
setup: ## install what the tests need and this machine lacks
	@scripts/setup.sh

.PHONY: tidy
tidy: ## does go.mod list what is imported, no more and no less?
	$(call step,go mod tidy)
	@go mod tidy -diff

.PHONY: vet
vet: ## go vet
	$(call step,go vet)
	@go vet ./...

.PHONY: lint
lint: $(LINT) ## golangci-lint, as .golangci.yml says
	@for os in $(LINT_GOOS); do \
		printf '\n== golangci-lint for %s\n' $$os; \
		GOOS=$$os CGO_ENABLED=0 $(LINT) run ./... || exit 1; \
	done

.PHONY: fmt
fmt: $(LINT) ## format every Go file
	@$(LINT) fmt

# One build makes all the tools, so that they share what they have in common.
.bin/golangci-lint .bin/gofumpt .bin/benchstat: .bin/built ;
.bin/built: tools/go.mod tools/go.sum
	$(call step,building the tools: about two minutes the first time)
	@mkdir -p .bin && cd tools && go build -o ../.bin/ tool && touch ../.bin/built

# build-linux/amd64 and so on. Cross builds have no C compiler, and rondo needs none.
.PHONY: $(BUILDS)
$(BUILDS): build-%:
	$(call step,build and vet for $*)
	@export GOOS=$(*D) GOARCH=$(*F) CGO_ENABLED=0 && go build ./... && go vet ./...

.PHONY: bench-module
bench-module:
	$(call step,build and vet of the bench module)
	@if [ -f bench/go.mod ]; then cd bench && go mod tidy -diff && go build -o /dev/null ./... && go vet ./...; else echo 'bench has no go.mod yet'; fi

# What the race detector is too slow for or allocates in: the whole soak, the crowds, the allocation counts.
.PHONY: plain
plain:
	$(call step,go test without the race detector)
	@RONDO_SEEDS=long go test -shuffle=on $(TESTFLAGS) ./...

# test-epoll and so on.
.PHONY: $(RUNS)
$(RUNS): test-%:
	$(call step,go test with the $* poller)
	@RONDO_POLLER=$* go test $(RACE) -shuffle=on $(TESTFLAGS) ./...

# A simulated world that does not go on is a matter of seconds, a search is not: hence no time limit. With FOR every search goes on for all of that time,
# side by side with the others, of which as many run as there are processors: hence -parallel. Two soaks that begin a second apart have a hundred thousand seeds between them.
.PHONY: soak
soak: ## every simulation with new seeds, for FOR=5m in all, or with SEEDS=number each (FROM=seed SOAK=regexp)
	@from=$(FROM); from=$${from:-$$(date +%s)00000}; \
	printf '== simulations %s, from seed %s on; FROM=%s begins there again\n' '$(if $(FOR),for $(FOR),with $(SEEDS) seeds each)' $$from $$from; \
	set -o pipefail; \
	go test -v -count=1 -timeout=0 $(if $(FOR),-parallel=1000) -run='$(SOAK)' $(TESTFLAGS) ./internal/simtest \
		-rondo.from=$$from $(if $(FOR),-rondo.for=$(FOR)) $(if $(SEEDS),-rondo.seeds=$(SEEDS)) | grep --line-buffered -Ev '^=== (RUN|PAUSE|CONT)'

# The script has a number of seeds of its own, and takes some minutes.
.PHONY: mutants
mutants: ## do the simulations find bugs? Plants some, one at a time (MUTANTS="name ..." SEEDS=1000)
	@$(if $(SEEDS),SEEDS=$(SEEDS)) internal/simtest/mutants.sh $(MUTANTS)

# The run before this one is kept, and the two are compared.
.PHONY: bench
bench: .bin/benchstat ## benchmarks (BENCH=regexp COUNT=6), compared with the run before
	@mkdir -p .bench
	@set -o pipefail; go test -run='^$$' -bench='$(BENCH)' -benchmem -count=$(COUNT) $(TESTFLAGS) ./... | tee .bench/run.txt
	@if [ -f .bench/new.txt ]; then mv .bench/new.txt .bench/old.txt; fi; mv .bench/run.txt .bench/new.txt
	@echo && if [ -f .bench/old.txt ]; then .bin/benchstat .bench/old.txt .bench/new.txt; else .bin/benchstat .bench/new.txt; fi

# go test fuzzes one target at a time, so the targets are listed first: "package target" on each line.
.PHONY: fuzz
fuzz: ## every Fuzz target in the tree, each for FUZZTIME=10s
	@list=$$(go test -list '^Fuzz' ./...) || { echo "$$list"; exit 1; }; \
	targets=$$(awk '/^Fuzz/ {name[++n] = $$1} /^ok/ {for (i = 1; i <= n; i++) print $$2, name[i]; n = 0}' <<<"$$list"); \
	[ -n "$$targets" ] || { echo 'no Fuzz targets'; exit 0; }; \
	while read -r package target; do \
		printf '\n== %s %s\n' "$$package" "$$target"; \
		go test -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) "$$package" </dev/null || exit 1; \
	done <<<"$$targets"

.PHONY: figures
figures: ## the figures of the documentation, measured anew beside the rivals
	cd bench && go run .

# -coverpkg counts what a package's tests run in other packages: a protocol's tests are tests of the engine.
.PHONY: cover
cover: ## coverage over the whole tree
	@go test -coverpkg=./... -coverprofile=cover.out $(TESTFLAGS) ./...
	@go tool cover -func=cover.out | tail -n 1
	@echo 'go tool cover -html=cover.out shows the lines'
