// Package sim runs whole programs in virtual time: servers and clients on hosts of a simulated network, in one thread of control,
// with every chance drawn from a seed.
//
//	func TestPartition(t *testing.T) {
//		sim.Run(t, sim.Config{}, func(w *sim.World) {
//			w.Host("server").Start(serve) // func(h *sim.Host) error: starts an engine, and listens
//			client := w.Host("client")
//			w.After(1*time.Second, func() { w.Partition(client) })
//			w.After(9*time.Second, w.Heal)
//			answer, err := ask(client.Engine(), "server:7000").Wait(context.Background())
//			if err != nil || answer != "42" || w.Elapsed() < 9*time.Second {
//				t.Errorf("%q, %v, after %v", answer, err, w.Elapsed())
//			}
//		})
//	}
//
// The engine, tasks, streams, queues and timers are those of production: only what is below them, the network, the clock and the
// goroutines, is replaced. The clock stands while anybody can go on, and jumps to the next event when nobody can: ten hours of
// sleep take no time. A program that waits for ever is reported, with what each of its tasks waits for.
//
// The same program and seed give the same run, down to the byte, on every machine. [Search] tries many seeds, and finds the
// few faults that it takes for one to fail.
//
// # What takes part
//
// Everything that goes through an engine: connections, timers, tasks, Engine.Run and Engine.Go, net.Conns on goroutines that [Host.Go], [World.Go] or
// the engine has started, names, signals (Host.Signal). Goroutines take turns; each runs until it waits for something of rondo's or ends, at one instant
// of virtual time. What does not take part: goroutines of the go statement, and so net/http's server and client; time.Sleep,
// channels and mutexes on which one goroutine would wait for another; context.WithTimeout, for which there is [World.WithTimeout];
// time.Now, for which there are Loop.Now and [World.Now]; the operating system's files. A program whose own order is left to chance, by a
// range over a map or a select of several channels, is not the same each time either.
//
// # What has happened
//
// With Config.Log, [World.Log] keeps all that happens: [Log.Draw] and [Log.WriteHTML] draw it as a sequence diagram, and [Diff] says where two runs part.
//
// # A single protocol, or task
//
// [CheckProtocol] and [CheckStream] hold any protocol to what all must keep: that it does the same however its input is split into pieces. A [Peer] is the
// other end of one connection, and says and expects what a script says, also over time: [World.Attach] gives it to a protocol, [World.ListenPeer] to a client of the
// program's, [World.DialPeer] to a server. [Task] runs one task in virtual time without a network, and
// [Clock] is for code that is given its time.
//
// # The network
//
// It carries TCP as a program sees it: streams in order, flow control, half-close, resets, connecting that is refused or not answered, backlogs, and
// descriptors that run out; and Unix sockets within a host. Each host has one address of IPv4, and the loopback. What is lost is sent
// again, so that a partition is a pause, until the sender gives up as Linux does. Datagrams, of UDP and Unix sockets, are lost, doubled and late as the faults have it.
package sim
