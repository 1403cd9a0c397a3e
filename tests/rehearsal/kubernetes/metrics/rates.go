package main

import (
	"bufio"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	every  = 5 * time.Second
	window = 30 * time.Second
)

// Requests that are no load: probes and scrapes.
var probe = regexp.MustCompile(`path="/(health[^"]*|metrics)"`)

type count struct {
	at    time.Time
	total float64
}

// rates of requests of each pod, over the last half minute.
type rates struct {
	mutex  sync.Mutex
	counts map[string][]count
	client *http.Client
}

func newRates() *rates {
	return &rates{counts: map[string][]count{}, client: &http.Client{Timeout: 2 * time.Second}}
}

// follow scrapes every pod that runs and has a label `app`, for ever.
func (r *rates) follow(list func(namespace, selector string) ([]pod, error)) {
	for range time.Tick(every) {
		found, err := list("", "app")
		if err != nil {
			continue
		}
		fresh := map[string]count{}
		var wait sync.WaitGroup
		var mutex sync.Mutex
		for _, one := range found {
			if one.Status.Phase != "Running" || one.Status.PodIP == "" {
				continue
			}
			wait.Add(1)
			go func() {
				defer wait.Done()
				if total, ok := r.scrape("http://" + one.Status.PodIP + ":9090/metrics"); ok {
					mutex.Lock()
					fresh[one.Metadata.Namespace+"/"+one.Metadata.Name] = count{time.Now(), total}
					mutex.Unlock()
				}
			}()
		}
		wait.Wait()
		r.keep(fresh)
	}
}

func (r *rates) keep(fresh map[string]count) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for name := range r.counts {
		if _, ok := fresh[name]; !ok {
			delete(r.counts, name)
		}
	}
	for name, one := range fresh {
		kept := append(r.counts[name], one)
		for len(kept) > 2 && kept[0].at.Before(one.at.Add(-window)) {
			kept = kept[1:]
		}
		r.counts[name] = kept
	}
}

func (r *rates) of(name string) (float64, time.Time, bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	kept := r.counts[name]
	if len(kept) < 2 {
		return 0, time.Time{}, false
	}
	first, last := kept[0], kept[len(kept)-1]
	rate := (last.total - first.total) / last.at.Sub(first.at).Seconds()
	return max(rate, 0), last.at, true
}

// scrape gives the requests that a pod has answered, without probes.
func (r *rates) scrape(address string) (float64, bool) {
	answer, err := r.client.Get(address)
	if err != nil {
		return 0, false
	}
	defer answer.Body.Close()
	total, found := 0.0, false
	lines := bufio.NewScanner(io.LimitReader(answer.Body, bodyMax))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if !strings.HasPrefix(line, "http_requests_total{") {
			continue
		}
		found = true
		if probe.MatchString(line) {
			continue
		}
		if value, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64); err == nil {
			total += value
		}
	}
	return total, found
}
