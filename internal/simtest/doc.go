// Package simtest has tests alone: of the engine, tasks, queues and package poetry, in simulated worlds (package sim), over thousands of seeds.
//
// How many seeds there are depends on who asks: few in go test, eight times as many with RONDO_SEEDS=long, as make test has it, and as many
// as make soak SEEDS=... says. With make soak FOR=10m the tests of all climates go on side by side, with seeds that were not tried yet, for ten minutes in all.
// The script mutants.sh makes sure that these tests find bugs: it plants some.
package simtest
