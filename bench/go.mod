module github.com/rondo-go/rondo/bench

go 1.26.0

replace github.com/rondo-go/rondo => ..

require (
	github.com/cloudwego/netpoll v0.7.2
	github.com/rondo-go/rondo v0.0.0-00010101000000-000000000000
	golang.org/x/sys v0.49.0
)

require (
	github.com/bytedance/gopkg v0.1.1 // indirect
	github.com/cloudwego/gopkg v0.1.4 // indirect
)
