package secure

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzRecords has bytes arrive in any pieces and be asked for in any sizes: a tls.Conn gets the same bytes in the same order, no part of a record before the record is whole, none behind another in one read,
// and all but the part of a record at the end. The pieces are gone when Keep has been called.
func FuzzRecords(f *testing.F) {
	record := func(n int) []byte { return append([]byte{23, 3, 3, byte(n >> 8), byte(n)}, make([]byte, n)...) }
	f.Add(append(record(0), record(3)...), []byte{1}, byte(5))
	f.Add(append(record(3), record(300)...), []byte{7, 0, 200}, byte(255))
	f.Add(append(record(maxRecord), record(1)...), []byte{}, byte(1))
	f.Add(append(record(1), 22, 3, 1, 255, 255, 0), []byte{2, 3}, byte(0))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), []byte{1, 2, 3}, byte(9))
	f.Add([]byte{23, 3}, []byte{}, byte(3))
	f.Fuzz(func(t *testing.T, data, cuts []byte, size byte) {
		l := &layer{}
		w := (*wire)(l)
		p := make([]byte, 1+int(size))
		var got []byte
		arrived := 0
		for rest := data; len(rest) > 0; {
			n := len(rest)
			if len(cuts) > 0 {
				n, cuts = min(n, 1+int(cuts[0])), cuts[1:]
			}
			piece := bytes.Clone(rest[:n])
			rest = rest[n:]
			arrived += n
			l.Received(piece)
			for {
				n, err := w.Read(p)
				if n == 0 {
					if !errors.Is(err, errMore) {
						t.Fatalf("Read: %v", err)
					}
					break
				}
				if err != nil {
					t.Fatalf("Read: %d, %v", n, err)
				}
				begin, end, valid := recordAt(data, len(got))
				switch {
				case !valid: // it is for tls to object to, as soon as it can be seen
				case end > arrived:
					t.Fatalf("%d bytes at %d are of a record that is not whole", n, len(got))
				case len(got)+n > end:
					t.Fatalf("%d bytes at %d go beyond the record [%d:%d]", n, len(got), begin, end)
				}
				got = append(got, p[:n]...)
			}
			l.Keep()
			clear(piece)
		}
		if !bytes.Equal(got, data[:len(got)]) {
			t.Fatal("other bytes were read")
		}
		if len(got) < len(data) {
			begin, end, valid := recordAt(data, len(got))
			if !valid { // a header that tls has, and objects to
				valid, end = len(got) >= begin+recordHeader, len(data)+1
			} else if begin != len(got) {
				valid = false
			}
			if !valid || end <= len(data) {
				t.Fatalf("%d bytes of %d were read; there is the record [%d:%d]", len(got), len(data), begin, end)
			}
		}
	})
}

// recordAt is the record that byte i of data is in. It is not valid from the first header on that can be none's; the end of one whose header is not whole is beyond data.
func recordAt(data []byte, i int) (begin, end int, valid bool) {
	for {
		if len(data)-begin < 5 {
			return begin, len(data) + 1, true
		}
		h := data[begin:]
		n := int(h[3])<<8 | int(h[4])
		if h[1] != 3 || n > 16384+2048 { // RFC 8446, section 5.1, and RFC 5246, section 6.2.3
			return begin, begin, false
		}
		if end = begin + 5 + n; i < end {
			return begin, end, true
		}
		begin = end
	}
}
