package wire

// What a byte may be part of.
const (
	isToken  = 1 << iota // a method, a field's name: tchar (RFC 9110, section 5.6.2)
	isValue              // a field's value: HTAB, SP, VCHAR, obs-text (RFC 9110, section 5.5)
	isTarget             // a request's target: VCHAR but "#", and what is above ASCII
	isHost               // a host that is a name or an IPv4 address: unreserved, sub-delims, "%" (RFC 3986, section 3.2.2)
	isDigit
	isHex
)

// class says of each byte what it may be part of.
var class = func() (t [256]uint8) {
	set := func(bit uint8, bytes string) {
		for i := range len(bytes) {
			t[bytes[i]] |= bit
		}
	}
	const digits, letters = "0123456789", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	set(isToken, digits+letters+"!#$%&'*+-.^_`|~")
	set(isHost, digits+letters+"-._~"+"!$&'()*+,;="+"%")
	set(isDigit, digits)
	set(isHex, digits+"abcdefABCDEF")
	for c := range 256 {
		if c > ' ' && c != 0x7f {
			t[c] |= isValue | isTarget
		}
	}
	set(isValue, " \t")
	t['#'] &^= isTarget
	return t
}()

func all[T string | []byte](s T, bit uint8) bool {
	for i := range len(s) {
		if class[s[i]]&bit == 0 {
			return false
		}
	}
	return true
}

// ValidToken reports whether s is a token, as a method must be (RFC 9110, section 5.6.2).
func ValidToken[T string | []byte](s T) bool { return len(s) > 0 && all(s, isToken) }

// ValidName reports whether s can be a field's name, which is a token (RFC 9110, section 5.1).
func ValidName[T string | []byte](s T) bool { return ValidToken(s) }

// ValidValue reports whether s can be a field's value: no control characters but tabs (RFC 9110, section 5.5). Whitespace at its ends is no part of a value, and is not looked for.
func ValidValue[T string | []byte](s T) bool {
	const (
		ones  = 0x0101010101010101
		highs = 0x80 * ones
	)
	i := 0
	for ; i+8 <= len(s); i += 8 {
		w := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 | uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		del := w ^ 0x7f*ones // 0 where there is a DEL
		// The high bit of each byte that is below a space, or a DEL. A borrow can set that of the byte above too: then it is looked at closely, and nothing is lost.
		if ((w-' '*ones)&^w|(del-ones)&^del)&highs != 0 && !all(s[i:i+8], isValue) {
			return false
		}
	}
	return all(s[i:], isValue)
}

// ValidTarget reports whether s can be a request's target, as far as its bytes go: no spaces, no control characters, no fragment. What is above ASCII is taken, as by net/url and as it is
// sent by some clients, although RFC 3986 wants it escaped.
func ValidTarget[T string | []byte](s T) bool { return len(s) > 0 && all(s, isTarget) }

// fold reports whether s is lower, whatever the case of its letters. lower has nothing but lower-case letters, digits and dashes, and s must have no control characters: of all other bytes none but
// the letter in the other case becomes the same by that bit.
func fold[T string | []byte](s T, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		if s[i]|0x20 != lower[i] {
			return false
		}
	}
	return true
}

// EqualFold reports whether a and b are the same but for the case of ASCII letters, as field names, codings and tokens of Connection are compared.
func EqualFold[A, B string | []byte](a A, b B) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// trim takes the whitespace from both ends (OWS: RFC 9110, section 5.6.3).
func trim[T string | []byte](v T) T {
	for len(v) > 0 && (v[0] == ' ' || v[0] == '\t') {
		v = v[1:]
	}
	for len(v) > 0 && (v[len(v)-1] == ' ' || v[len(v)-1] == '\t') {
		v = v[:len(v)-1]
	}
	return v
}
