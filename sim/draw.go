package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// diagram is a log made ready to be drawn: a column for each host, and a row for each thing that has happened.
type diagram struct {
	hosts  []string // in the order in which they come up
	rows   []row
	quiet  time.Duration // time without events that is long, in this log
	begin  time.Duration
	end    time.Duration
	title  string
	notes  []string       // what is not in the picture
	seen   map[string]int // how many events each host has, of all hosts
	column map[string]int
	conns  map[string]*conn
}

// conn is what the log says about a connection.
type conn struct {
	client, server string
	tag            string          // what tells it from others of the same two hosts
	answers        []time.Duration // when the server sent what answers connect
}

type rowKind uint8

const (
	arrow  rowKind = iota // from one host to another
	mark                  // on one host
	across                // on the link between two hosts
	remark                // on none
	again                 // the rows before are repeated
)

// row is one line of a diagram.
type row struct {
	kind rowKind
	Entry
	from, to int           // columns; of a mark they are the same
	n, bytes int           // packets that are folded into it; of again, how often, and how many rows
	until    time.Duration // when the last of them was
	others   []string      // further hosts that it is about
	lost     bool          // nothing has come back
}

// quietFactor is how many times longer a quiet stretch is than what usually passes between two events.
const quietFactor = 20

// maxPeriod is how many rows are looked at for a repetition, and minRepeats how often they must come to be left out.
const (
	maxPeriod  = 8
	minRepeats = 3
)

// diagram makes the log ready for a picture with that many hosts at most.
func (l *Log) diagram(most int) *diagram {
	entries := l.Entries()
	d := &diagram{column: map[string]int{}, conns: map[string]*conn{}}
	d.title = fmt.Sprintf("%s in %v, seed %d", count(l.count, "event"), l.w.Elapsed(), l.w.seed)
	if len(entries) < l.count {
		d.title = fmt.Sprintf("The last %s of %s: the log was not kept whole (Config.Log)", thousands(len(entries)), count(l.count, "event"))
	}
	if len(entries) > 0 {
		d.begin, d.end = entries[0].At, entries[len(entries)-1].At
	}
	d.quiet = quietTime(entries)
	d.choose(entries, most)
	d.name(entries)
	hidden := 0
	for i := range entries {
		if !d.add(&entries[i]) {
			hidden++
		}
	}
	if hidden > 0 {
		d.notes = append(d.notes, count(hidden, "event")+" of theirs left out")
	}
	d.rows = fold(d.rows)
	return d
}

// quietTime is what is a long time for nothing to happen in.
func quietTime(entries []Entry) time.Duration {
	var gaps []time.Duration
	for i := 1; i < len(entries); i++ {
		if gap := entries[i].At - entries[i-1].At; gap > 0 {
			gaps = append(gaps, gap)
		}
	}
	const least = 10 * time.Millisecond
	if len(gaps) == 0 {
		return least
	}
	slices.Sort(gaps)
	return max(least, quietFactor*gaps[len(gaps)/2])
}

// onLink reports whether an entry's Where is a link.
func onLink(e *Entry) bool {
	switch e.What {
	case "cut", "mend", "reset", "lose", "lost", "silent", "stall", "set link":
		return true
	}
	return false
}

// choose finds the hosts, and takes those with most events if they are too many.
func (d *diagram) choose(entries []Entry, most int) {
	events := map[string]int{}
	var all []string
	see := func(host string) {
		if host == "" {
			return
		}
		if events[host]++; events[host] == 1 {
			all = append(all, host)
		}
	}
	for i := range entries {
		if e := &entries[i]; !onLink(e) && e.What != "fault" {
			see(e.Where)
			see(e.Peer)
		}
	}
	for i := range entries { // once it is known which hosts there are: their names may have a hyphen in them
		e := &entries[i]
		if !onLink(e) && e.What != "fault" {
			continue
		}
		if a, b, ok := ends(e, events); ok {
			see(a)
			see(b)
		} else {
			see(e.Where)
		}
	}
	d.hosts, d.seen = all, events
	if len(all) > most {
		busy := slices.Clone(all)
		slices.SortStableFunc(busy, func(a, b string) int { return cmp.Compare(events[b], events[a]) })
		d.hosts = slices.DeleteFunc(all, func(h string) bool { return slices.Contains(busy[most:], h) })
		d.notes = append(d.notes, fmt.Sprintf("%s of %d left out, which have the fewest events", count(len(busy)-most, "host"), len(busy)))
	}
	for i, h := range d.hosts {
		d.column[h] = i
	}
}

// ends are the two hosts of a link, if the entry is about one.
func ends(e *Entry, known map[string]int) (a, b string, ok bool) {
	if known[e.Where] > 0 && !onLink(e) {
		return "", "", false
	}
	best := -1
	for i := range len(e.Where) {
		if e.Where[i] != '-' {
			continue
		}
		score := min(known[e.Where[:i]], 1) + min(known[e.Where[i+1:]], 1)
		if score > best {
			best, a, b = score, e.Where[:i], e.Where[i+1:]
		}
	}
	return a, b, best >= 0
}

// name finds the connections, and for each the shortest name by which it is known among those of the same two hosts.
func (d *diagram) name(entries []Entry) {
	type both struct{ a, b string }
	groups := map[both][]string{}
	for i := range entries {
		e := &entries[i]
		if e.Peer == "" {
			continue
		}
		c := d.conns[e.Of]
		if c == nil {
			c = &conn{client: e.Where, server: e.Peer}
			if !strings.HasPrefix(e.Of, e.Where+">"+e.Peer+":") {
				c.client, c.server = e.Peer, e.Where
			}
			d.conns[e.Of] = c
			key := both{min(c.client, c.server), max(c.client, c.server)}
			groups[key] = append(groups[key], e.Of)
		}
		if e.What == "syn-ack" || e.What == "refused" {
			c.answers = append(c.answers, e.Sent)
		}
	}
	for _, group := range groups {
		if len(group) < 2 {
			continue
		}
		first := d.conns[group[0]]
		sameBase, sameClient := true, true
		for _, of := range group {
			sameBase = sameBase && base(of) == base(group[0])
			sameClient = sameClient && d.conns[of].client == first.client
		}
		for _, of := range group {
			c := d.conns[of]
			switch {
			case sameBase:
				c.tag = of[len(base(of)):]
			case sameClient:
				c.tag = strings.TrimPrefix(of, c.client+">"+c.server)
			default:
				c.tag = of
			}
		}
	}
}

// base is a connection's name without its number.
func base(of string) string { return of[:max(0, strings.LastIndexByte(of, '#'))] }

func (d *diagram) at(host string) int {
	if i, ok := d.column[host]; ok {
		return i
	}
	return -1
}

// add makes a row of an entry, or folds it into the one before. It reports false if the entry is of a host that is not drawn.
func (d *diagram) add(e *Entry) bool {
	r := row{Entry: *e, n: 1, bytes: e.Bytes, until: e.At}
	switch {
	case e.Where == "":
		r.kind = remark
	case e.Peer != "":
		r.kind, r.from, r.to = arrow, d.at(e.Peer), d.at(e.Where)
		if e.What == "connect" {
			r.from, r.to = r.to, r.from
			answers := d.conns[e.Of].answers
			r.lost = len(answers) == 0
			if !r.lost {
				r.until = max(answers[0], e.At) // when it has arrived
			}
		}
		return d.addArrow(r)
	default:
		if a, b, ok := ends(e, d.seen); ok {
			return d.addLink(r, a, b)
		}
		r.kind, r.from = mark, d.at(e.Where)
		r.to = r.from
		if r.from < 0 {
			return false
		}
	}
	d.rows = append(d.rows, r)
	return true
}

func (d *diagram) addArrow(r row) bool {
	switch {
	case r.from < 0 && r.to < 0:
		return false
	case r.from < 0 || r.to < 0 || r.from == r.to: // one end is not drawn, or both are the same: it is a mark
		r.kind = mark
		r.from = max(r.from, r.to)
		r.to = r.from
	}
	if n := len(d.rows); n > 0 && r.What == "data" {
		if p := &d.rows[n-1]; p.What == r.What && p.Of == r.Of && p.Where == r.Where && p.Peer == r.Peer && r.At-p.until < d.quiet {
			p.n++
			p.bytes += r.Bytes
			p.until = r.At
			return true
		}
	}
	d.rows = append(d.rows, r)
	return true
}

// addLink adds what concerns a link. What cuts a host off from several others is one row.
func (d *diagram) addLink(r row, a, b string) bool {
	r.kind, r.from, r.to = across, d.at(a), d.at(b)
	r.others = []string{a, b}
	if r.from < 0 && r.to < 0 {
		return false
	}
	if r.from < 0 || r.to < 0 {
		r.kind = mark
		if r.from < 0 {
			r.others = []string{b, a}
		}
		r.from = max(r.from, r.to)
		r.to = r.from
	}
	if n := len(d.rows); n > 0 && (r.What == "cut" || r.What == "mend") {
		if p := &d.rows[n-1]; p.What == r.What && p.At == r.At && p.join(a, b, d) {
			return true
		}
	}
	d.rows = append(d.rows, r)
	return true
}

// join adds a link to a row that is about others of the same host.
func (r *row) join(a, b string, d *diagram) bool {
	if len(r.others) == 2 && r.kind == across && (r.others[1] == a || r.others[1] == b) { // it may be the second that they share
		r.others[0], r.others[1] = r.others[1], r.others[0]
	}
	var other string
	switch r.others[0] {
	case a:
		other = b
	case b:
		other = a
	default:
		return false
	}
	i := d.at(r.others[0])
	if i < 0 {
		return false
	}
	r.kind, r.from, r.to = mark, i, i
	r.others = append(r.others, other)
	return true
}

// same reports whether two rows differ in nothing but their times.
func (r *row) same(o *row) bool {
	return r.What == "data" && o.What == "data" && r.Of == o.Of && r.Where == o.Where && r.n == o.n && r.bytes == o.bytes
}

// fold leaves out what only repeats the rows before it.
func fold(rows []row) []row {
	var kept []row
	for i := 0; i < len(rows); {
		period, times := repetition(rows[i:])
		if times < minRepeats {
			kept = append(kept, rows[i])
			i++
			continue
		}
		last := &rows[i+period*times-1]
		kept = append(kept, rows[i:i+period]...)
		r := row{kind: again, n: times - 1, bytes: period, until: last.until}
		r.At = rows[i+period].At
		kept = append(kept, r)
		i += period * times
	}
	return kept
}

// repetition finds the shortest beginning of rows that is repeated, and how often it comes.
func repetition(rows []row) (period, times int) {
	for period = 1; period <= maxPeriod && period*minRepeats <= len(rows); period++ {
		n := period
		for n < len(rows) && rows[n].same(&rows[n-period]) {
			n++
		}
		if n/period >= minRepeats {
			return period, n / period
		}
	}
	return 0, 0
}

// labels are what a row says, from the longest to the shortest.
func (d *diagram) labels(r *row) []string {
	tag := ""
	if c := d.conns[r.Of]; c != nil && c.tag != "" {
		tag = " " + clean(c.tag)
	}
	switch {
	case r.kind == again:
		return []string{fmt.Sprintf("the %s above, %s more, until %s s", count(r.bytes, "row"), count(r.n, "time"), seconds(r.until))}
	case r.What == "note":
		return []string{clean(r.Of)}
	case r.kind == remark:
		return []string{clean(r.What + ": " + r.Of)}
	case len(r.others) > 0:
		return d.linkLabels(r)
	case r.Peer != "" && r.kind == mark:
		here := d.at(r.Where) == r.from
		far := " from " + clean(r.Peer)
		switch {
		case r.Peer == r.Where:
			far = " to itself"
		case r.What == "connect" && here:
			far = " to " + clean(r.Peer)
		case r.What == "connect":
			far = " from " + clean(r.Where)
		case !here:
			far = " to " + clean(r.Where)
		}
		var all []string
		for _, s := range d.packetLabels(r, tag) {
			all = append(all, s+far)
		}
		return all
	case r.Peer != "":
		return d.packetLabels(r, tag)
	case d.conns[r.Of] != nil:
		return []string{r.What + tag, r.What}
	case r.What == "listen":
		return []string{clean("listen " + strings.TrimPrefix(r.Of, r.Where))}
	case r.What == "pause" || r.What == "clock step":
		if d, err := time.ParseDuration(r.Of); err == nil && d.Abs() > time.Millisecond {
			return []string{fmt.Sprintf("%s %v", r.What, d.Round(time.Millisecond))}
		}
		return []string{clean(r.What + " " + r.Of)}
	case r.What == "signal" || r.What == "accept" || r.What == "timeout":
		return []string{clean(r.What + " " + r.Of)}
	case r.What == "log":
		return []string{clean(r.Of)}
	case r.Of != "":
		return []string{clean(r.What + ": " + r.Of), r.What}
	}
	return []string{r.What}
}

func (d *diagram) packetLabels(r *row, tag string) []string {
	switch {
	case r.What == "connect":
		port := strings.TrimPrefix(base(r.Of), r.Where+">"+r.Peer)
		if strings.HasPrefix(tag, " #") || tag == "" {
			return []string{clean("connect "+port) + tag, "connect" + tag, "connect"}
		}
	case r.n > 1:
		s := fmt.Sprintf("data ×%s, %s", thousands(r.n), thousands(r.bytes))
		return []string{s + " bytes" + tag, s + tag, s}
	case r.What == "data":
		s := "data " + thousands(r.bytes)
		return []string{s + tag, s}
	}
	return []string{r.What + tag, r.What}
}

// linkLabels are those of what concerns a link, or several of one host.
func (d *diagram) linkLabels(r *row) []string {
	switch r.What {
	case "cut", "mend":
	case "fault":
		short, _, _ := strings.Cut(r.Of, " ")
		return []string{clean("fault: " + r.Of), clean("fault: " + short), clean(short)}
	default:
		return []string{clean(r.What + " " + r.Of), r.What}
	}
	if r.kind == across {
		return []string{r.What}
	}
	words := "cut off from "
	if r.What == "mend" {
		words = "reaches again "
	}
	return []string{words + clean(strings.Join(r.others[1:], ", ")), fmt.Sprintf("%s%s", words, count(len(r.others)-1, "host"))}
}

// bad reports whether a row is of something that goes wrong.
func (r *row) bad() bool {
	switch r.What {
	case "rst", "refused", "kill", "power off", "cut", "error", "failed", "fault", "reset", "timeout",
		"lose", "lost", "silent", "stall", "refuse", "no answer", "backlog full", "abort", "slow lookup", "failed lookup":
		return true
	}
	return r.lost || r.What == "log" && strings.HasPrefix(r.Of, "ERROR")
}

// clean makes one line of words that may be anybody's, with nothing in it that a terminal or a page would obey.
func clean(s string) string {
	s, more, cut := strings.Cut(s, "\n")
	if cut && more != "" {
		s += " …"
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r == unicode.ReplacementChar || !unicode.IsPrint(r):
			return '�'
		}
		return r
	}, s)
}

func seconds(t time.Duration) string { return fmt.Sprintf("%.6f", t.Seconds()) }

// stretch says how long a quiet stretch is.
func stretch(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return thousands(n) + " " + what
}

// thousands writes a number as people read it.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
