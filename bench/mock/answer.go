package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// question is what the endpoint reads of a request.
type question struct {
	prompt  string // content of the last message, or the prompt of a completion
	chat    bool
	stream  bool
	withUse bool // usage at the end of a stream
	bytes   int
}

var errNoPrompt = errors.New("no prompt: neither messages nor prompt")

// readQuestion finds the few members it needs without decoding the body: inside a JSON string a
// quote is escaped, so an unescaped `"content":` is always a member.
func readQuestion(body []byte, chat bool) (question, error) {
	q := question{chat: chat, bytes: len(body)}
	name := `"prompt"`
	if chat {
		name = `"content"`
	}
	raw := lastString(body, name)
	if raw == nil {
		return q, errNoPrompt
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		q.prompt = string(raw[1 : len(raw)-1])
	} else if err := json.Unmarshal(raw, &q.prompt); err != nil {
		return q, err
	}
	q.stream = isTrue(body, `"stream"`)
	q.withUse = isTrue(body, `"include_usage"`)
	return q, nil
}

// value gives what follows the last member of this name, without leading blanks.
func value(body []byte, name string) []byte {
	at := bytes.LastIndex(body, []byte(name))
	if at < 0 {
		return nil
	}
	rest := bytes.TrimLeft(body[at+len(name):], " \t\r\n")
	if len(rest) == 0 || rest[0] != ':' {
		return nil
	}
	return bytes.TrimLeft(rest[1:], " \t\r\n")
}

func isTrue(body []byte, name string) bool {
	return bytes.HasPrefix(value(body, name), []byte("true"))
}

// lastString gives the JSON string, with its quotes, of the last member of this name.
func lastString(body []byte, name string) []byte {
	rest := value(body, name)
	if len(rest) == 0 || rest[0] != '"' {
		return nil
	}
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			return rest[:i+1]
		}
	}
	return nil
}

// answerTo is a function of the prompt alone.
func answerTo(template, prompt string) string {
	sum := crc32.ChecksumIEEE([]byte(prompt))
	text := strings.ReplaceAll(template, "{{number}}", strconv.Itoa(int(sum%1000)))
	return strings.ReplaceAll(text, "{{hash}}", fmt.Sprintf("%08x", sum))
}

func inputTokens(q question) int64     { return int64(len(q.prompt)/4 + 4) }
func outputTokens(answer string) int64 { return int64(strings.Count(answer, " ") + 1) }

func appendQuoted(to []byte, text string) []byte {
	plain := true
	for i := 0; i < len(text); i++ {
		if c := text[i]; c < 0x20 || c == '"' || c == '\\' {
			plain = false
			break
		}
	}
	if plain {
		to = append(to, '"')
		to = append(to, text...)
		return append(to, '"')
	}
	quoted, _ := json.Marshal(text)
	return append(to, quoted...)
}

func appendUsage(to []byte, in, out int64) []byte {
	to = append(to, `"usage":{"prompt_tokens":`...)
	to = strconv.AppendInt(to, in, 10)
	to = append(to, `,"completion_tokens":`...)
	to = strconv.AppendInt(to, out, 10)
	to = append(to, `,"total_tokens":`...)
	to = strconv.AppendInt(to, in+out, 10)
	return append(to, '}')
}

func appendWhole(to []byte, q question, answer string, in, out int64) []byte {
	if q.chat {
		to = append(to, `{"id":"chatcmpl-mock","object":"chat.completion","created":1700000000,"model":"mock","choices":[{"index":0,"message":{"role":"assistant","content":`...)
		to = appendQuoted(to, answer)
		to = append(to, `},"logprobs":null,"finish_reason":"stop"}],`...)
	} else {
		to = append(to, `{"id":"cmpl-mock","object":"text_completion","created":1700000000,"model":"mock","choices":[{"index":0,"text":`...)
		to = appendQuoted(to, answer)
		to = append(to, `,"logprobs":null,"finish_reason":"stop"}],`...)
	}
	to = appendUsage(to, in, out)
	return append(to, '}')
}

const chatChunk = `data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1700000000,"model":"mock","choices":[{"index":0,"delta":{`
const textChunk = `data: {"id":"cmpl-mock","object":"text_completion","created":1700000000,"model":"mock","choices":[{"index":0,"text":`

func appendStream(to []byte, q question, answer string, in, out int64) []byte {
	if q.chat {
		to = append(to, chatChunk...)
		to = append(to, `"role":"assistant","content":""},"finish_reason":null}]}`+"\n\n"...)
	}
	for i, word := range strings.Split(answer, " ") {
		if i > 0 {
			word = " " + word
		}
		if q.chat {
			to = append(to, chatChunk...)
			to = append(to, `"content":`...)
			to = appendQuoted(to, word)
			to = append(to, `},"finish_reason":null}]}`+"\n\n"...)
		} else {
			to = append(to, textChunk...)
			to = appendQuoted(to, word)
			to = append(to, `,"finish_reason":null}]}`+"\n\n"...)
		}
	}
	if q.chat {
		to = append(to, chatChunk...)
		to = append(to, `},"finish_reason":"stop"}]}`+"\n\n"...)
	} else {
		to = append(to, textChunk...)
		to = append(to, `"","finish_reason":"stop"}]}`+"\n\n"...)
	}
	if q.withUse {
		to = append(to, `data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1700000000,"model":"mock","choices":[],`...)
		to = appendUsage(to, in, out)
		to = append(to, "}\n\n"...)
	}
	return append(to, "data: [DONE]\n\n"...)
}
