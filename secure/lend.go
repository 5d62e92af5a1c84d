package secure

import (
	"bytes"
	"crypto/tls"
	"reflect"
	"unsafe"
)

// A tls.Conn keeps two buffers for as long as it lives, as large as the largest record and the largest handshake message that it has received: some 3.5 KB after a
// handshake, 33 KB after one record of full size. It has no method to give them up. So they are taken away when they are empty, and the first is lent the loop's
// buffer in which a record has arrived, which is then decrypted in place. Decision 0011 says what this is worth, and what happens when crypto/tls changes: the fields are looked for by name and type, and
// where they are not found each connection keeps its own.
var (
	rawInput = fieldOf("rawInput") // records that were received
	hand     = fieldOf("hand")     // handshake messages
)

// field is the place of a bytes.Buffer in a tls.Conn; 0 if there is none.
type field uintptr

func fieldOf(name string) field {
	f, ok := reflect.TypeFor[tls.Conn]().FieldByName(name)
	if !ok || f.Type != reflect.TypeFor[bytes.Buffer]() {
		return 0
	}
	return field(f.Offset)
}

// lend has the connection read from p, which is the caller's again after the next reclaim. It reports false, and does nothing, if the buffer is not empty.
func (f field) lend(c *tls.Conn, p []byte) bool {
	if f == 0 {
		return false
	}
	b := (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(c), f))
	if b.Len() > 0 {
		return false
	}
	*b = *bytes.NewBuffer(p)
	return true
}

// reclaim takes the buffer away, if it is empty.
func (f field) reclaim(c *tls.Conn) {
	if f == 0 {
		return
	}
	if b := (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(c), f)); b.Len() == 0 {
		*b = bytes.Buffer{}
	}
}
