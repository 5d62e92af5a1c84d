package sock

// OpenBSD sets the time for the whole system only (sysctl net.inet.tcp.keepidle).
func setKeepAliveIdle(int, int) error { return nil }
