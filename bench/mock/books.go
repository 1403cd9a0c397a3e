package main

import (
	"fmt"
	"hash/maphash"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const shardCount = 64

type shard struct {
	mu       sync.Mutex
	requests map[uint64]*prompt
}

// prompt is what the endpoint knows about one distinct request body.
type prompt struct {
	number   int64 // order of first arrival, from 0
	requests int64
	answered int64 // with status 200
}

// books counts everything that arrives. Safe from any goroutine.
type books struct {
	seed      maphash.Seed
	shards    [shardCount]shard
	bills     *os.File
	distinct  atomic.Int64
	requests  atomic.Int64
	faults    atomic.Int64
	inFlight  atomic.Int64
	highWater atomic.Int64
	conns     atomic.Int64
	input     atomic.Int64
	output    atomic.Int64
	serviceNs atomic.Int64
	lastNs    atomic.Int64 // when the newest answer was ready, Unix time

	first sync.Once
	watch struct {
		sync.Mutex
		pid        int
		baselineNs int64
		cpuNs      int64 // used by the watched process when the first request had arrived
		atUnixNs   int64
	}
}

func newBooks(billsPath string) (*books, error) {
	b := &books{seed: maphash.MakeSeed()}
	for i := range b.shards {
		b.shards[i].requests = make(map[uint64]*prompt)
	}
	if billsPath != "" {
		file, err := os.OpenFile(billsPath, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, err
		}
		b.bills = file
	}
	return b, nil
}

// arrive books a request and says the how many-th distinct body it is and the how many-th request
// with this body, both from 0.
func (b *books) arrive(body []byte) (key uint64, number, attempt int64) {
	b.first.Do(b.noteFirst)
	b.requests.Add(1)
	now := b.inFlight.Add(1)
	for {
		high := b.highWater.Load()
		if now <= high || b.highWater.CompareAndSwap(high, now) {
			break
		}
	}
	key = maphash.Bytes(b.seed, body)
	s := &b.shards[key%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.requests[key]
	if p == nil {
		p = &prompt{number: b.distinct.Add(1) - 1}
		s.requests[key] = p
	}
	p.requests++
	return key, p.number, p.requests - 1
}

// bill books the tokens of an answer that is about to be sent.
func (b *books) bill(key uint64, status int, inputTokens, outputTokens int64) {
	b.input.Add(inputTokens)
	b.output.Add(outputTokens)
	if status == 200 {
		s := &b.shards[key%shardCount]
		s.mu.Lock()
		s.requests[key].answered++
		s.mu.Unlock()
	} else {
		b.faults.Add(1)
	}
	if b.bills != nil {
		fmt.Fprintf(b.bills, "%016x %d %d %d\n", key, status, inputTokens, outputTokens)
	}
}

func (b *books) done(service time.Duration) {
	b.inFlight.Add(-1)
	b.serviceNs.Add(int64(service))
	b.lastNs.Store(time.Now().UnixNano())
}

// processCPU reads the processor time of another process: the kernel's clock of that process.
func processCPU(pid int) (int64, error) {
	clock := uintptr(^pid<<3 | 2) // MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED)
	var t syscall.Timespec
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clock&0xffffffff, uintptr(unsafe.Pointer(&t)), 0)
	if errno != 0 {
		return 0, errno
	}
	return t.Nano(), nil
}

func (b *books) watchProcess(pid int) error {
	now, err := processCPU(pid)
	if err != nil {
		return err
	}
	b.watch.Lock()
	defer b.watch.Unlock()
	b.watch.pid = pid
	b.watch.baselineNs = now
	return nil
}

func (b *books) noteFirst() {
	b.watch.Lock()
	defer b.watch.Unlock()
	b.watch.atUnixNs = time.Now().UnixNano()
	if b.watch.pid == 0 {
		return
	}
	if now, err := processCPU(b.watch.pid); err == nil {
		b.watch.cpuNs = now - b.watch.baselineNs
	}
}

// stats is what GET /stats says.
type stats struct {
	Requests         int64   `json:"requests"`
	Distinct         int64   `json:"distinct"`
	Duplicates       int64   `json:"duplicates"` // requests beyond the first of their body
	Faults           int64   `json:"faults"`     // requests answered with a scripted error
	AnsweredTwice    int64   `json:"answered_twice"`
	Unanswered       int64   `json:"unanswered"` // distinct bodies without any answer
	InFlight         int64   `json:"in_flight"`
	MaxInFlight      int64   `json:"max_in_flight"`
	Connections      int64   `json:"connections"`
	PromptTokens     int64   `json:"prompt_tokens"`
	CompletionTokens int64   `json:"completion_tokens"`
	MeanServiceMs    float64 `json:"mean_service_ms"`
	FirstCPUMs       float64 `json:"first_request_cpu_ms"`
	FirstAtUnixNs    int64   `json:"first_request_at_unix_ns"`
	LastAtUnixNs     int64   `json:"last_answer_at_unix_ns"`
}

func (b *books) stats() stats {
	s := stats{
		Requests: b.requests.Load(), Distinct: b.distinct.Load(), Faults: b.faults.Load(),
		InFlight: b.inFlight.Load(), MaxInFlight: b.highWater.Load(), Connections: b.conns.Load(),
		PromptTokens: b.input.Load(), CompletionTokens: b.output.Load(),
	}
	s.Duplicates = s.Requests - s.Distinct
	if s.Requests > 0 {
		s.MeanServiceMs = float64(b.serviceNs.Load()) / float64(s.Requests) / 1e6
	}
	for i := range b.shards {
		sh := &b.shards[i]
		sh.mu.Lock()
		for _, p := range sh.requests {
			if p.answered > 1 {
				s.AnsweredTwice++
			}
			if p.answered == 0 {
				s.Unanswered++
			}
		}
		sh.mu.Unlock()
	}
	b.watch.Lock()
	s.FirstCPUMs = float64(b.watch.cpuNs) / 1e6
	s.FirstAtUnixNs = b.watch.atUnixNs
	s.LastAtUnixNs = b.lastNs.Load()
	b.watch.Unlock()
	return s
}
