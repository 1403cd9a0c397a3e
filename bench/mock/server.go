package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

type server struct {
	options options
	books   *books

	gathered chan struct{} // closed when answers may be given
	open     sync.Once
	begin    sync.Once
}

func newServer(o options, b *books) *server {
	s := &server{options: o, books: b, gathered: make(chan struct{})}
	if o.gather <= 1 {
		close(s.gathered)
	}
	return s
}

// wait holds a request until as many as were asked for are in flight.
func (s *server) wait() {
	if s.options.gather <= 1 {
		return
	}
	release := func() { s.open.Do(func() { close(s.gathered) }) }
	s.begin.Do(func() { time.AfterFunc(30*time.Second, release) })
	if s.books.inFlight.Load() >= int64(s.options.gather) {
		release()
	}
	<-s.gathered
}

// request holds one request; its buffers are used again for the next one of the connection.
type request struct {
	method string
	target string
	body   []byte
	close  bool
}

var (
	errTooLarge = errors.New("body too large")
	errBroken   = errors.New("not an HTTP/1.1 request this endpoint understands")
)

func (s *server) serve(conn net.Conn) {
	defer conn.Close()
	s.books.conns.Add(1)
	reader := bufio.NewReaderSize(conn, 4096)
	var r request
	out := make([]byte, 0, 2048)
	for {
		err := readRequest(reader, conn, &r, s.options.maxBytes)
		if err == io.EOF {
			return
		}
		if err != nil {
			conn.Write(appendResponse(out[:0], 400, "", "text/plain", []byte(err.Error()+"\n")))
			return
		}
		out = s.answer(conn, &r, out[:0])
		if out == nil || r.close {
			return
		}
	}
}

func (s *server) answer(conn net.Conn, r *request, out []byte) []byte {
	path, query := r.target, ""
	if at := strings.IndexByte(path, '?'); at >= 0 {
		path, query = path[:at], path[at+1:]
	}
	switch {
	case r.method == "POST" && strings.HasSuffix(path, "/chat/completions"):
		return s.complete(conn, r, out, true)
	case r.method == "POST" && strings.HasSuffix(path, "/completions"):
		return s.complete(conn, r, out, false)
	case r.method == "GET" && path == "/stats":
		body, _ := json.Marshal(s.books.stats())
		out = appendResponse(out, 200, "", "application/json", append(body, '\n'))
	case r.method == "GET" && path == "/watch":
		out = s.watch(query, out)
	default:
		out = appendResponse(out, 404, "", "application/json", []byte(`{"error":{"message":"no such path"}}`))
	}
	return write(conn, out)
}

func (s *server) watch(query string, out []byte) []byte {
	values, err := url.ParseQuery(query)
	var pid int
	if err == nil {
		pid, err = strconv.Atoi(values.Get("pid"))
	}
	if err == nil {
		err = s.books.watchProcess(pid)
	}
	if err != nil {
		return appendResponse(out, 400, "", "text/plain", []byte(err.Error()+"\n"))
	}
	return appendResponse(out, 200, "", "text/plain", []byte("ok\n"))
}

func (s *server) complete(conn net.Conn, r *request, out []byte, chat bool) []byte {
	started := time.Now()
	key, number, attempt := s.books.arrive(r.body)
	s.wait()
	if s.options.latency > 0 {
		time.Sleep(s.options.latency)
	}
	out = s.compose(r, out, chat, key, number, attempt)
	// Before the write: whoever has the answer finds it in the books.
	s.books.done(time.Since(started))
	return write(conn, out)
}

// compose books the request and writes the answer into out, faults included.
func (s *server) compose(r *request, out []byte, chat bool, key uint64, number, attempt int64) []byte {
	if s.options.fault == "every10" && attempt == 0 && number%10 == 9 {
		if number/10%2 == 0 {
			s.books.bill(key, 429, 0, 0)
			header := fmt.Sprintf("Retry-After: %d\r\n", s.options.retryIn)
			return appendResponse(out, 429, header, "application/json",
				[]byte(`{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}`))
		}
		s.books.bill(key, 500, 0, 0)
		return appendResponse(out, 500, "", "application/json",
			[]byte(`{"error":{"message":"The server had an error","type":"server_error"}}`))
	}
	q, err := readQuestion(r.body, chat)
	if err != nil {
		s.books.bill(key, 400, 0, 0)
		body, _ := json.Marshal(map[string]any{"error": map[string]string{"message": err.Error()}})
		return appendResponse(out, 400, "", "application/json", body)
	}
	text := answerTo(s.options.answer, q.prompt)
	in, produced := inputTokens(q), outputTokens(text)
	s.books.bill(key, 200, in, produced)
	var body []byte
	kind := "application/json"
	if q.stream {
		kind = "text/event-stream"
		body = appendStream(make([]byte, 0, 2048), q, text, in, produced)
		return appendChunked(out, kind, body)
	}
	body = appendWhole(make([]byte, 0, 512), q, text, in, produced)
	return appendResponse(out, 200, "", kind, body)
}

func write(conn net.Conn, out []byte) []byte {
	if _, err := conn.Write(out); err != nil {
		return nil
	}
	return out
}

var reasons = map[int]string{
	200: "OK", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests", 500: "Internal Server Error",
}

func appendHead(out []byte, status int, kind string) []byte {
	out = append(out, "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(status), 10)
	out = append(out, ' ')
	out = append(out, reasons[status]...)
	out = append(out, "\r\nContent-Type: "...)
	out = append(out, kind...)
	return append(out, "\r\n"...)
}

func appendResponse(out []byte, status int, headers, kind string, body []byte) []byte {
	out = appendHead(out, status, kind)
	out = append(out, headers...)
	out = append(out, "Content-Length: "...)
	out = strconv.AppendInt(out, int64(len(body)), 10)
	out = append(out, "\r\n\r\n"...)
	return append(out, body...)
}

func appendChunked(out []byte, kind string, body []byte) []byte {
	out = appendHead(out, 200, kind)
	out = append(out, "Transfer-Encoding: chunked\r\n\r\n"...)
	out = strconv.AppendInt(out, int64(len(body)), 16)
	out = append(out, "\r\n"...)
	out = append(out, body...)
	return append(out, "\r\n0\r\n\r\n"...)
}

func readLine(reader *bufio.Reader) ([]byte, error) {
	line, err := reader.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}

func readRequest(reader *bufio.Reader, conn net.Conn, r *request, maxBytes int) error {
	line, err := readLine(reader)
	if err != nil {
		return io.EOF
	}
	parts := bytes.Split(line, []byte(" "))
	if len(parts) != 3 {
		return errBroken
	}
	r.method, r.target, r.close = string(parts[0]), string(parts[1]), false
	length, chunked, expects := 0, false, false
	for {
		line, err = readLine(reader)
		if err != nil {
			return errBroken
		}
		if len(line) == 0 {
			break
		}
		at := bytes.IndexByte(line, ':')
		if at < 0 {
			return errBroken
		}
		name, text := line[:at], bytes.TrimSpace(line[at+1:])
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.Atoi(string(text)); err != nil || length < 0 {
				return errBroken
			}
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			chunked = bytes.EqualFold(text, []byte("chunked"))
		case bytes.EqualFold(name, []byte("connection")):
			r.close = bytes.EqualFold(text, []byte("close"))
		case bytes.EqualFold(name, []byte("expect")):
			expects = true
		}
	}
	if expects {
		if _, err = conn.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n")); err != nil {
			return io.EOF
		}
	}
	if chunked {
		return readChunks(reader, r, maxBytes)
	}
	if length > maxBytes {
		return errTooLarge
	}
	r.body = grow(r.body[:0], length)
	_, err = io.ReadFull(reader, r.body)
	return err
}

func grow(buffer []byte, more int) []byte {
	size := len(buffer) + more
	if cap(buffer) >= size {
		return buffer[:size]
	}
	bigger := make([]byte, size, size+size/4)
	copy(bigger, buffer)
	return bigger
}

func readChunks(reader *bufio.Reader, r *request, maxBytes int) error {
	r.body = r.body[:0]
	for {
		line, err := readLine(reader)
		if err != nil {
			return errBroken
		}
		size, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil {
			return errBroken
		}
		if len(r.body)+int(size) > maxBytes {
			return errTooLarge
		}
		at := len(r.body)
		r.body = grow(r.body, int(size))
		if _, err = io.ReadFull(reader, r.body[at:]); err != nil {
			return err
		}
		if _, err = readLine(reader); err != nil {
			return errBroken
		}
		if size == 0 {
			return nil
		}
	}
}
