package rig

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"unsafe"
)

// Terminal opens a pseudoterminal: what a program has, and what the person before it does.
func Terminal(t testing.TB) (near, far *os.File) {
	t.Helper()
	far, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("this machine has no pseudoterminals: ", err)
	}
	t.Cleanup(func() { far.Close() })
	var unlock, number int32
	ioctl(t, far, syscall.TIOCSPTLCK, unsafe.Pointer(&unlock))
	ioctl(t, far, syscall.TIOCGPTN, unsafe.Pointer(&number))
	near, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	// No echo, and line ends as they are, so that what is read is what was written.
	var tio syscall.Termios
	ioctl(t, near, syscall.TCGETS, unsafe.Pointer(&tio))
	tio.Lflag &^= syscall.ECHO
	tio.Oflag &^= syscall.OPOST
	ioctl(t, near, syscall.TCSETS, unsafe.Pointer(&tio))
	return near, far
}

func ioctl(t testing.TB, f *os.File, request uintptr, arg unsafe.Pointer) {
	t.Helper()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(arg)); errno != 0 {
		t.Fatal(errno)
	}
}
