//go:build !linux

package main

import (
	"context"
	"errors"
	"io"
	"runtime"
)

var errNoFigures = errors.New("no figures can be taken on " + runtime.GOOS +
	": processes are pinned and their time is read in ways that only Linux has")

func measure(context.Context, options, io.Writer, io.Writer) error { return errNoFigures }
func serve(context.Context, []string) error                        { return errNoFigures }
func load([]string) error                                          { return errNoFigures }
