// Mock is an OpenAI-compatible endpoint for measurements: it answers at once (or after a fixed
// latency), counts and bills every request before it answers, and can fail by script. It speaks
// plain HTTP/1.1 with keep-alive on raw connections, so that on a small machine the processor is
// left to the client that is measured.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"time"
)

type options struct {
	latency  time.Duration
	fault    string
	answer   string
	bills    string
	retryIn  int
	maxBytes int
	gather   int
}

func main() {
	var o options
	flag.DurationVar(&o.latency, "latency", 0, "time from the last byte of a request to the first of its answer")
	flag.StringVar(&o.fault, "fault", "", "every10: every tenth distinct prompt fails its first attempt, alternately with 429 and 500")
	flag.StringVar(&o.answer, "answer", "The answer is {{number}}", "answer; {{number}} is crc32(prompt) % 1000, {{hash}} is crc32(prompt) in hexadecimal")
	flag.StringVar(&o.bills, "bills", "", "append one line for every request to this file, before the answer is sent")
	flag.IntVar(&o.retryIn, "retry-after", 1, "seconds in the Retry-After header of scripted 429 answers")
	flag.IntVar(&o.maxBytes, "max-body", 64<<20, "largest request body in bytes")
	flag.IntVar(&o.gather, "gather", 0, "answer nobody until this many requests are in flight, or for 30 s; then as usual")
	flag.Parse()
	if o.fault != "" && o.fault != "every10" {
		fmt.Fprintln(os.Stderr, "mock: unknown fault script:", o.fault)
		os.Exit(2)
	}
	books, err := newBooks(o.bills)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mock:", err)
		os.Exit(1)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "mock:", err)
		os.Exit(1)
	}
	// The runner reads this line to learn the port.
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	s := newServer(o, books)
	for {
		conn, err := listener.Accept()
		if err != nil {
			// Out of file descriptors: those in use come back.
			time.Sleep(time.Millisecond)
			continue
		}
		go s.serve(conn)
	}
}
