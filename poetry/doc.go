// Package poetry is the slow poetry family: a server that sends a poem a few bytes at a time, clients that fetch many
// poems, and drawings of where their time went.
//
// The server is slow on purpose. Networks are faster than the eye, so a program that waits for one server and a program
// that waits for many look alike until the servers are slow enough to watch. [Options] says how slow, and how unkind:
// it can stall, or reset the connection, after a given number of bytes, which is what a test of a client's timeouts needs.
//
// The blocking server serves one client at a time ([ListenBlocking]), the asynchronous one all of them ([ListenAsync]).
// The blocking client fetches one poem after the other ([Client.FetchBlocking]), the threaded one runs a goroutine for
// each ([Client.FetchThreads]), the asynchronous one has them all on one loop ([Client.FetchAsync]), and so has the one
// with tasks, in code that reads like the blocking one's ([Client.FetchTasks]). Every client fills the same [Report]
// through a [Recorder], so that their output ([Printer]) and their drawings ([WriteTimeline]) differ only where their
// behaviour does.
//
// Nothing here reads the clock or a random source but through a field that a test can set.
package poetry
