// Command copyproxy is the proxy that one writes with package net: two goroutines a connection, each in io.Copy, which splices by itself on Linux. It is what
// "rondo proxy" is measured beside; see the README of this module.
//
//	copyproxy LISTEN TARGET
package main

import (
	"io"
	"log"
	"net"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: copyproxy LISTEN TARGET")
	}
	ln, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for {
		client, err := ln.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go join(client.(*net.TCPConn), os.Args[2]) //nolint:errcheck // a TCP listener's
	}
}

func join(client *net.TCPConn, target string) {
	defer client.Close()
	c, err := net.Dial("tcp", target)
	if err != nil {
		log.Print(err)
		return
	}
	server := c.(*net.TCPConn) //nolint:errcheck // likewise
	defer server.Close()
	back := make(chan struct{})
	go func() {
		defer close(back)
		pass(client, server)
	}()
	pass(server, client)
	<-back
}

func pass(to, from *net.TCPConn) {
	_, _ = io.Copy(to, from) // either side may go at any time
	_ = to.CloseWrite()
}
