package wire

const (
	// DefaultHead is how long a head may be if nothing else is said: 1 MiB, in bytes.
	DefaultHead = 1 << 20

	// DefaultFields is how many field lines a head may have if nothing else is said.
	DefaultFields = 1000
)

// Limits bound what is parsed. The zero value, and a nil pointer, mean the defaults.
type Limits struct {
	// Head is how long a head may be, in bytes: from the first byte given to Parse, empty lines before the request line included, to the empty line that ends it. Zero means [DefaultHead], which
	// is net/http's default for MaxHeaderBytes; net/http counts 4,096 bytes more, and what has been read of the body with the head.
	Head int

	// Fields is how many field lines a head may have. Zero means [DefaultFields]: a field costs 48 bytes beside its own, and a head of 1 MiB has room for 350,000 of them, so without a limit
	// a peer's MiB would be 17 here. Browsers send some 20, and a request through many proxies 100.
	Fields int
}

func (l *Limits) head() int {
	if l == nil || l.Head <= 0 {
		return DefaultHead
	}
	return l.Head
}

func (l *Limits) fields() int {
	if l == nil || l.Fields <= 0 {
		return DefaultFields
	}
	return l.Fields
}
