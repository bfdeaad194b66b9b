// SPDX-License-Identifier: Apache-2.0

// Writes a heap profile of a known heap: GOMAXPROCS=1 heap RATE KEPT FILE
package main

import (
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
)

var kept [][]byte
var passed []byte

//go:noinline
func keep(count int) {
	for i := 0; i < count; i++ {
		kept = append(kept, make([]byte, 2048))
	}
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	runtime.MemProfileRate = number(os.Args[1])
	passed = make([]byte, 64<<20) // the runtime still waits for a sample at the old rate: that was it
	passed = nil
	keep(number(os.Args[2]))
	runtime.GC()
	file, err := os.Create(os.Args[3])
	if err != nil {
		panic(err)
	}
	if err := pprof.WriteHeapProfile(file); err != nil {
		panic(err)
	}
	file.Close()
	runtime.KeepAlive(kept)
}
