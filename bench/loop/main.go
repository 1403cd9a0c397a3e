// Loop is the bare request loop that ours is measured beside: it reads a dataset, posts one chat
// request for each row with a fixed concurrency, parses every response, compares it with the
// row's answer, and keeps nothing. No journal, no retries, no statistics.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type row struct {
	Question string `json:"question"`
	Answer   string `json:"answer"`
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type body struct {
	Model         string         `json:"model"`
	Messages      []message      `json:"messages"`
	MaxTokens     int            `json:"max_tokens"`
	Stream        bool           `json:"stream,omitempty"`
	StreamOptions *streamOptions `json:"stream_options,omitempty"`
}

type usage struct {
	Input  int64 `json:"prompt_tokens"`
	Output int64 `json:"completion_tokens"`
}

type answer struct {
	Choices []struct {
		Message      message `json:"message"`
		Delta        message `json:"delta"`
		FinishReason string  `json:"finish_reason"`
	} `json:"choices"`
	Usage *usage `json:"usage"`
}

type loop struct {
	client  *http.Client
	url     string
	stream  bool
	correct atomic.Int64
	failed  atomic.Int64
	tokens  atomic.Int64
}

// result is what the loop prints, as one line of JSON.
type result struct {
	Rows      int64   `json:"rows"`
	Correct   int64   `json:"correct"`
	Failed    int64   `json:"failed"`
	Tokens    int64   `json:"tokens"`
	CPUS      float64 `json:"cpu_s"`
	WallS     float64 `json:"wall_s"`
	PeakRSSKB int64   `json:"peak_rss_kib"`
}

func main() {
	url := flag.String("url", "", "base URL, ending in /v1")
	data := flag.String("dataset", "", "JSONL with question and answer")
	concurrency := flag.Int("concurrency", 64, "requests at once")
	stream := flag.Bool("stream", false, "ask for a stream")
	flag.Parse()
	started := time.Now()
	transport := &http.Transport{
		MaxIdleConns: *concurrency, MaxIdleConnsPerHost: *concurrency, DisableCompression: true,
	}
	l := &loop{client: &http.Client{Transport: transport}, url: *url + "/chat/completions", stream: *stream}
	rows, err := l.run(*data, *concurrency)
	if err != nil {
		fmt.Fprintln(os.Stderr, "loop:", err)
		os.Exit(1)
	}
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		fmt.Fprintln(os.Stderr, "loop:", err)
		os.Exit(1)
	}
	line, _ := json.Marshal(result{
		Rows: rows, Correct: l.correct.Load(), Failed: l.failed.Load(), Tokens: l.tokens.Load(),
		CPUS:  float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9,
		WallS: time.Since(started).Seconds(), PeakRSSKB: used.Maxrss,
	})
	fmt.Println(string(line))
}

func (l *loop) run(path string, concurrency int) (int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	rows := make(chan row)
	var group sync.WaitGroup
	for i := 0; i < concurrency; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for r := range rows {
				l.ask(r)
			}
		}()
	}
	var count int64
	scanner := bufio.NewScanner(file)
	scanner.Buffer(make([]byte, 64<<10), 16<<20)
	for scanner.Scan() {
		var r row
		if err = json.Unmarshal(scanner.Bytes(), &r); err != nil {
			break
		}
		count++
		rows <- r
	}
	close(rows)
	group.Wait()
	if err == nil {
		err = scanner.Err()
	}
	return count, err
}

func (l *loop) ask(r row) {
	b := body{
		Model: "mock", MaxTokens: 64, Stream: l.stream,
		Messages: []message{{Role: "user", Content: "Question: " + r.Question + "\nAnswer:"}},
	}
	if l.stream {
		b.StreamOptions = &streamOptions{IncludeUsage: true}
	}
	encoded, err := json.Marshal(b)
	if err != nil {
		l.failed.Add(1)
		return
	}
	response, err := l.client.Post(l.url, "application/json", bytes.NewReader(encoded))
	if err != nil {
		l.failed.Add(1)
		return
	}
	defer response.Body.Close()
	var text string
	var used usage
	if l.stream {
		text, used, err = readStream(response.Body)
	} else {
		text, used, err = readWhole(response.Body)
	}
	if err != nil || response.StatusCode != http.StatusOK {
		l.failed.Add(1)
		return
	}
	l.tokens.Add(used.Input + used.Output)
	if strings.TrimSpace(text) == strings.TrimSpace(r.Answer) {
		l.correct.Add(1)
	}
}

func readWhole(from io.Reader) (string, usage, error) {
	text, err := io.ReadAll(from)
	if err != nil {
		return "", usage{}, err
	}
	var a answer
	if err = json.Unmarshal(text, &a); err != nil {
		return "", usage{}, err
	}
	if len(a.Choices) == 0 || a.Usage == nil {
		return "", usage{}, fmt.Errorf("no choice or no usage")
	}
	return a.Choices[0].Message.Content, *a.Usage, nil
}

func readStream(from io.Reader) (string, usage, error) {
	var text strings.Builder
	var used usage
	scanner := bufio.NewScanner(from)
	done := false
	for scanner.Scan() {
		line := scanner.Bytes()
		if !bytes.HasPrefix(line, []byte("data: ")) {
			continue
		}
		if line = line[6:]; bytes.Equal(line, []byte("[DONE]")) {
			done = true
			continue
		}
		var a answer
		if err := json.Unmarshal(line, &a); err != nil {
			return "", used, err
		}
		if len(a.Choices) > 0 {
			text.WriteString(a.Choices[0].Delta.Content)
		}
		if a.Usage != nil {
			used = *a.Usage
		}
	}
	if !done {
		return "", used, io.ErrUnexpectedEOF
	}
	return text.String(), used, scanner.Err()
}
