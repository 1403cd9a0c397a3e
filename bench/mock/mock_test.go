package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
)

func start(t *testing.T, o options) (string, *books) {
	t.Helper()
	if o.answer == "" {
		o.answer = "The answer is {{number}}"
	}
	o.maxBytes, o.retryIn = 1<<20, 1
	b, err := newBooks(o.bills)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	s := newServer(o, b)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return "http://" + listener.Addr().String(), b
}

func post(t *testing.T, url, body string) (int, http.Header, string) {
	t.Helper()
	response, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(text)
}

func chat(prompt string, stream bool) string {
	quoted, _ := json.Marshal(prompt)
	return fmt.Sprintf(`{"model":"mock","stream": %v,"stream_options":{"include_usage":true},"messages":[{"role":"system","content":"x"},{"role":"user","content": %s}]}`, stream, quoted)
}

func TestAnswerIsValidJSONAndAFunctionOfThePrompt(t *testing.T) {
	url, _ := start(t, options{})
	var first string
	for i := 0; i < 2; i++ {
		status, _, text := post(t, url+"/v1/chat/completions", chat("a \"quoted\"\nquestion é", false))
		var got struct {
			Choices []struct{ Message struct{ Content string } }
			Usage   struct {
				Prompt int `json:"prompt_tokens"`
				Total  int `json:"total_tokens"`
			}
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil || status != 200 {
			t.Fatal(status, err, text)
		}
		content := got.Choices[0].Message.Content
		if want := answerTo("The answer is {{number}}", "a \"quoted\"\nquestion é"); content != want {
			t.Fatalf("%q, want %q", content, want)
		}
		if got.Usage.Prompt == 0 || got.Usage.Total <= got.Usage.Prompt {
			t.Fatal("usage", text)
		}
		if i == 1 && content != first {
			t.Fatal("two answers to one prompt")
		}
		first = content
	}
}

func TestStreamGivesTheSameAnswerInPieces(t *testing.T) {
	url, _ := start(t, options{})
	status, header, text := post(t, url+"/v1/chat/completions", chat("q", true))
	if status != 200 || header.Get("Content-Type") != "text/event-stream" {
		t.Fatal(status, header)
	}
	var answer string
	var tokens int
	for _, line := range strings.Split(text, "\n") {
		data := strings.TrimPrefix(line, "data: ")
		if data == line || data == "[DONE]" {
			continue
		}
		var piece struct {
			Choices []struct{ Delta struct{ Content string } }
			Usage   *struct {
				Total int `json:"total_tokens"`
			}
		}
		if err := json.Unmarshal([]byte(data), &piece); err != nil {
			t.Fatal(err, data)
		}
		if len(piece.Choices) > 0 {
			answer += piece.Choices[0].Delta.Content
		}
		if piece.Usage != nil {
			tokens = piece.Usage.Total
		}
	}
	if answer != answerTo("The answer is {{number}}", "q") || tokens == 0 || !strings.HasSuffix(text, "data: [DONE]\n\n") {
		t.Fatal(answer, tokens, text)
	}
}

func TestEveryTenthDistinctPromptFailsItsFirstAttemptOnly(t *testing.T) {
	url, b := start(t, options{fault: "every10"})
	statuses := map[int]int{}
	for round := 0; round < 2; round++ {
		for i := 0; i < 40; i++ {
			status, header, _ := post(t, url+"/v1/chat/completions", chat(fmt.Sprint("row ", i), false))
			statuses[status]++
			if status == 429 && header.Get("Retry-After") != "1" {
				t.Fatal("429 without Retry-After")
			}
			if status != 200 && (round != 0 || i%10 != 9) {
				t.Fatal("fault at", round, i)
			}
		}
	}
	if statuses[429] != 2 || statuses[500] != 2 || statuses[200] != 76 {
		t.Fatal(statuses)
	}
	s := b.stats()
	if s.Requests != 80 || s.Distinct != 40 || s.Duplicates != 40 || s.Faults != 4 || s.AnsweredTwice != 36 || s.Unanswered != 0 {
		t.Fatalf("%+v", s)
	}
}

func TestEveryRequestIsBilledBeforeItsAnswerArrives(t *testing.T) {
	path := t.TempDir() + "/bills"
	url, _ := start(t, options{bills: path})
	for i := 1; i <= 5; i++ {
		post(t, url+"/v1/chat/completions", chat(fmt.Sprint(i), i%2 == 0))
		text, err := os.ReadFile(path)
		if err != nil || strings.Count(string(text), "\n") != i {
			t.Fatal(i, err, string(text))
		}
	}
}

func TestInFlightGaugeSeesConcurrentRequests(t *testing.T) {
	url, b := start(t, options{latency: 200e6})
	var group sync.WaitGroup
	for i := 0; i < 30; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			post(t, url+"/v1/chat/completions", chat(fmt.Sprint(i), false))
		}(i)
	}
	group.Wait()
	s := b.stats()
	if s.MaxInFlight != 30 || s.InFlight != 0 || s.MeanServiceMs < 200 {
		t.Fatalf("%+v", s)
	}
}

func TestGatheringHoldsAnswersUntilAllAreInFlight(t *testing.T) {
	url, b := start(t, options{gather: 20})
	var group sync.WaitGroup
	for i := 0; i < 25; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			post(t, url+"/v1/chat/completions", chat(fmt.Sprint(i), false))
		}(i)
	}
	group.Wait()
	if s := b.stats(); s.MaxInFlight < 20 || s.Requests != 25 {
		t.Fatalf("%+v", s)
	}
}

func TestWatchedProcessTimeIsTakenAtTheFirstRequest(t *testing.T) {
	url, b := start(t, options{})
	response, err := http.Get(fmt.Sprintf("%s/watch?pid=%d", url, os.Getpid()))
	if err != nil || response.StatusCode != 200 {
		t.Fatal(err)
	}
	for x := 0; x < 50_000_000; x++ {
		_ = x * x
	}
	post(t, url+"/v1/chat/completions", chat("q", false))
	first := b.stats().FirstCPUMs
	if first <= 0 {
		t.Fatal("no time")
	}
	post(t, url+"/v1/chat/completions", chat("r", false))
	if b.stats().FirstCPUMs != first {
		t.Fatal("a later request changed it")
	}
}

func TestChunkedBodyAndBrokenRequestAreUnderstood(t *testing.T) {
	url, _ := start(t, options{})
	reader, writer := io.Pipe()
	go func() {
		writer.Write([]byte(chat("in pieces", false))[:20])
		writer.Write([]byte(chat("in pieces", false))[20:])
		writer.Close()
	}()
	response, err := http.Post(url+"/v1/chat/completions", "application/json", reader)
	if err != nil || response.StatusCode != 200 {
		t.Fatal(err)
	}
	if status, _, _ := post(t, url+"/v1/chat/completions", `{"messages":[]}`); status != 400 {
		t.Fatal(status)
	}
	if status, _, _ := post(t, url+"/nowhere", `{}`); status != 404 {
		t.Fatal(status)
	}
}
