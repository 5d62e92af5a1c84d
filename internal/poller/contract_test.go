package poller_test

import (
	"os"
	"slices"
	"testing"

	"github.com/rondo-go/rondo/internal/poller"
)

// subject is a backend that is held to the contract: a way to open it, and the network over
// which the clause at hand is tried ("tcp" or "unix").
type subject struct {
	open    func() (poller.Poller, error)
	network string
}

// clause is one promise of the package comment and the test in which a backend that breaks it
// is seen to fail.
type clause struct {
	name string
	test func(*testing.T, subject)
	unix bool // to be kept on Unix sockets as well as on TCP
}

var contract = []clause{
	// Readiness: contract_ready_test.go.
	{"readable with data", readableWithData, true},
	{"readable at the end of the stream", readableAtEnd, true},
	{"readable with pending connections", readableWithConnections, true},
	{"writable until the buffer is full and again", writableUntilFull, true},
	{"both directions at once", bothDirections, true},
	{"interest can change and nothing is lost", interestChanges, true},
	{"nothing wanted, nothing reported", nothingWanted, true},
	{"tokens come back whole", tokensWhole, false},

	// Streams: contract_stream_test.go.
	{"the peer ends its direction", peerHalfCloses, true},
	{"we end our direction", weHalfClose, true},
	{"data before the end arrives whole", dataThenEnd, true},
	{"hang-up of both directions", hangUp, true},
	{"reset while reading is wanted", resetWhileReading, false},
	{"reset while writing is wanted", resetWhileWriting, false},
	{"reset while nothing is wanted", resetWhileNothingWanted, false},
	{"hang-up while nothing is wanted", hangUpWhileNothingWanted, true},
	{"sending after a reset", sendAfterReset, false},
	{"EAGAIN is bare", againIsBare, true},

	// Connecting: contract_connect_test.go.
	{"connected", connected, true},
	{"refused", refused, false},
	{"a pending connection is not writable", connectPending, false},
	{"refused Unix socket", refusedUnix, false},
	{"full backlog of a Unix socket", fullBacklogUnix, false},
	{"addresses", addresses, false},
	{"options", options, true},

	// Waiting and waking: contract_wait_test.go, contract_wake_test.go.
	{"wait ends at its deadline", waitEndsAtDeadline, false},
	{"deadlines in any order", deadlinesInAnyOrder, false},
	{"a past deadline still looks", pastDeadlineLooks, true},
	{"immediately never blocks", immediatelyNeverBlocks, false},
	{"forever lasts until a wake", foreverUntilWake, false},
	{"an event ends a wait under way", eventEndsWait, true},
	{"the clock", clockRuns, false},
	{"wake before wait", wakeBeforeWait, false},
	{"wake during wait", wakeDuringWait, false},
	{"wakes are merged", wakesMerge, false},
	{"wakes from 64 goroutines", wakesFromMany, false},
	{"wake races with a deadline", wakeAgainstDeadline, false},
	{"wakes do not hide events", wakesHideNothing, true},
	{"a deadline after a wake is kept", deadlineAfterWake, false},
	{"wake after shut", wakeAfterShut, false},
	{"wake races with shut", wakeDuringShut, false},

	// Descriptors: contract_close_test.go, contract_crowd_test.go.
	{"close within a batch, number reused", closeWithinBatch, true},
	{"remove within a batch, added anew", removeWithinBatch, true},
	{"close what was never added", closeUnadded, true},
	{"close while a duplicate exists", closeDuplicated, true},
	{"registration errors", registrationErrors, true},
	{"move to another poller", moveToAnother, true},
	{"shut leaves descriptors open", shutLeavesOpen, true},
	{"a crowd", crowd, false},

	// Files: contract_file_test.go.
	{"a pipe", fileStream, false},
	{"a pipe without readers", fileReadersGone, false},
	{"what cannot be polled", fileRefused, false},

	// Datagrams: contract_packet_test.go.
	{"datagrams come whole", packetsWhole, true},
	{"datagrams are cut off", packetsTruncated, true},
	{"errors of datagrams are apart", packetErrorsApart, true},
	{"connected datagrams", packetsConnected, true},
	{"an error of datagrams while nothing is wanted", packetErrorWhileNothingWanted, false},
	{"datagrams wait for room", packetsWritable, true},
	{"many datagrams", packetsMany, true},
	{"addresses and options of datagrams", packetAddresses, true},

	// Splicing: contract_splice_test.go.
	{"splicing", splices, true},

	// Sending files: contract_sendfile_test.go.
	{"sending files", sendsFiles, true},
}

func TestContract(t *testing.T) {
	for _, name := range subjects(t) {
		t.Run(name, func(t *testing.T) {
			open := func() (poller.Poller, error) { return poller.Open(name) }
			for _, c := range contract {
				t.Run(c.name, func(t *testing.T) {
					if !c.unix {
						c.test(t, subject{open, "tcp"})
						return
					}
					for _, network := range []string{"tcp", "unix"} {
						t.Run(network, func(t *testing.T) { c.test(t, subject{open, network}) })
					}
				})
			}
		})
	}
}

// subjects are the backends to test: all of the platform, or the one that RONDO_POLLER names.
func subjects(tb testing.TB) []string {
	names := poller.Names()
	if only := os.Getenv("RONDO_POLLER"); only != "" {
		if !slices.Contains(names, only) {
			tb.Fatalf("RONDO_POLLER=%s is none of this platform's: %v", only, names)
		}
		return []string{only}
	}
	return names
}
