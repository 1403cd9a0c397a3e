"""An OpenAI-compatible endpoint for tests, in this process: it counts and bills every request,
answers as a function of the prompt alone, and fails as a test tells it to.

A test gives `script(request)`, which returns None (answer) or one of the faults below. All faults
are decided when the request has arrived completely. Plain HTTP/1.1 with keep-alive on asyncio
streams, on a thread of its own.
"""
import asyncio
import hashlib
import json
import threading
import time
import zlib


def default_answer(prompt):
    return f"The answer is {zlib.crc32(prompt.encode()) % 1000}"


def default_usage(prompt, answer):
    """Tokens as this endpoint counts them: (input, output)."""
    return len(prompt) // 4 + 4, answer.count(" ") + 1


class Request:
    """One request as it arrived, and what became of it."""

    def __init__(self, path, headers, body, key, number, attempt):
        self.path, self.headers, self.body, self.key = path, headers, body, key
        self.number = number  # the how many-th distinct body, from 0
        self.attempt = attempt  # the how many-th request with this body, from 0
        self.chat = path.endswith("/chat/completions")
        self.prompt = body["messages"][-1]["content"] if self.chat else body["prompt"]
        self.stream = bool(body.get("stream"))
        self.with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        self.arrived_at = time.monotonic()
        self.answered_at = None
        self.status = None
        self.billed = (0, 0)  # tokens: input, output
        self.fault = None


# Faults. Each says what the request is billed: tokens as for an answer, or nothing.


class Status:
    """An error answer; billed nothing."""

    billed = False

    def __init__(self, status, message="scripted", headers=(), body=None):
        self.status, self.headers = status, list(headers)
        self.body = body if body is not None else json.dumps({"error": {"message": message}})


class Hang:
    """Takes the request and says nothing until the client leaves."""

    billed = True


class HangMidStream:
    """The head and a first piece, then nothing."""

    billed = True


class Html:
    """A page with status 200, as a proxy or a login wall sends it."""

    billed = False
    page = "<!DOCTYPE html><html><body><h1>Please sign in</h1></body></html>"


class CloseMidStream:
    """Half an answer, then the connection is closed."""

    billed = True


class CloseAtOnce:
    """The connection is closed without an answer."""

    billed = False


class WrongUsage:
    """An ordinary answer with this in place of its usage (None: left out)."""

    billed = True

    def __init__(self, usage):
        self.usage = usage


class Long:
    """An ordinary answer whose one token has this many bytes."""

    billed = True

    def __init__(self, size):
        self.size = size


class Raw:
    """These bytes, then the connection is closed."""

    billed = False

    def __init__(self, data):
        self.data = data


class Slow:
    """An ordinary answer, this much later."""

    billed = True

    def __init__(self, seconds):
        self.seconds = seconds


REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}


class MockLLM:
    """Use as a context manager. Counts are exact once the clients have ended."""

    def __init__(self, *, latency=0.0, script=None, answer=default_answer, usage=default_usage,
                 on_event=None):
        self.latency, self.script = latency, script
        self.answer, self.usage = answer, usage
        self.on_event = on_event  # called on the endpoint's thread with "arrived" or "answered"
        self.requests = []
        self.distinct = {}  # body hash -> number of requests
        self._numbers = {}  # body hash -> the how many-th it was
        self.in_flight = 0
        self.max_in_flight = 0
        self.connections = 0
        self.open_connections = 0
        self.broken = []  # what this endpoint itself did not understand
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the endpoint did not start")
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)

    @property
    def base_url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    # What tests ask

    def prompts(self):
        return {request.prompt for request in list(self.requests)}

    def settle(self, seconds=10):
        """Waits until every client is gone and what they had sent has been read and billed."""
        deadline = time.monotonic() + seconds
        while self.open_connections:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.open_connections} connections are still open")
            time.sleep(0.001)

    def faults(self):
        return sum(1 for request in list(self.requests) if request.fault is not None)

    def billed_tokens(self):
        requests = list(self.requests)
        return sum(r.billed[0] for r in requests), sum(r.billed[1] for r in requests)

    # The server

    def _run(self):
        asyncio.run(self._serve())

    async def _serve(self):
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=2048, limit=1 << 26)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopped.wait()
        server.close()
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()

    async def _connection(self, reader, writer):
        self.connections += 1
        self.open_connections += 1
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.open_connections -= 1
            writer.close()

    async def _one(self, reader, writer):
        """Serves one request; False ends the connection."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                self.broken.append(error.partial[:200])
            return False
        lines = head.decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ")
        headers = {}
        for line in lines[1:]:
            if line:
                name, _, text = line.partition(":")
                headers[name.strip().lower()] = text.strip()
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        if method != "POST" or not path.endswith("/completions"):
            writer.write(_response(404, b'{"error":{"message":"no such path"}}'))
            return True
        try:
            request = self._arrive(path, headers, raw)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            self.broken.append(raw[:200])
            writer.write(_response(400, json.dumps({"error": {"message": repr(error)}}).encode()))
            return True
        try:
            return await self._answer(request, reader, writer)
        finally:
            self.in_flight -= 1

    def _arrive(self, path, headers, raw):
        key = hashlib.sha256(raw).digest()
        attempt = self.distinct.get(key, 0)
        number = self._numbers.setdefault(key, len(self._numbers))
        request = Request(path, headers, json.loads(raw), key, number, attempt)
        self.distinct[key] = attempt + 1
        request.fault = self.script(request) if self.script else None
        if request.fault is None or request.fault.billed:
            request.billed = self.usage(request.prompt, self.answer(request.prompt))
        self.requests.append(request)
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        if self.on_event:
            self.on_event("arrived", request)
        return request

    async def _answer(self, request, reader, writer):
        latency = self.latency(request) if callable(self.latency) else self.latency
        if isinstance(request.fault, Slow):
            latency += request.fault.seconds
        if latency > 0:
            await asyncio.sleep(latency)
        keep = await self._say(request, reader, writer)
        await writer.drain()
        request.answered_at = time.monotonic()
        if self.on_event:
            self.on_event("answered", request)
        return keep

    async def _say(self, request, reader, writer):
        fault = request.fault
        request.status = 200
        if isinstance(fault, Status):
            request.status = fault.status
            writer.write(_response(fault.status, fault.body.encode(), headers=fault.headers))
            return True
        if isinstance(fault, Hang):
            await reader.read(1)
            return False
        if isinstance(fault, Html):
            writer.write(_response(200, fault.page.encode(), kind="text/html; charset=utf-8"))
            return True
        if isinstance(fault, CloseAtOnce):
            return False
        if isinstance(fault, Raw):
            writer.write(fault.data)
            return False
        text = self.answer(request.prompt)
        if isinstance(fault, Long):
            text = "x" * fault.size
        tokens = self.usage(request.prompt, text)
        usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1],
                 "total_tokens": tokens[0] + tokens[1]}
        if isinstance(fault, WrongUsage):
            usage = fault.usage
        if not request.stream:
            data = _response(200, json.dumps(_whole(request, text, usage)).encode())
            if isinstance(fault, (CloseMidStream, HangMidStream)):
                data = data[: len(data) - 40]
            writer.write(data)
        else:
            self._say_stream(request, writer, text, usage, fault)
        if isinstance(fault, HangMidStream):
            await writer.drain()
            await reader.read(1)
        return not isinstance(fault, (CloseMidStream, HangMidStream))

    def _say_stream(self, request, writer, text, usage, fault):
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        words = [text] if isinstance(fault, Long) else text.split(" ")
        pieces = [words[0], *(" " + word for word in words[1:])]
        events = [_piece(request, piece) for piece in pieces]
        if isinstance(fault, (CloseMidStream, HangMidStream)):
            for event in events[: max(1, len(events) // 2)]:
                writer.write(_chunk(event))
            return
        events.append(_piece(request, None))
        if usage is not None and request.with_usage:
            last = _frame(request, [])
            last["usage"] = usage
            events.append(last)
        for event in events:
            writer.write(_chunk(event))
        writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")


def _response(status, body, kind="application/json", headers=()):
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Error')}", f"Content-Type: {kind}",
             f"Content-Length: {len(body)}", *(f"{name}: {text}" for name, text in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def _chunk(event):
    data = b"data: " + json.dumps(event).encode() + b"\n\n"
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _frame(request, choices):
    kind = "chat.completion.chunk" if request.chat else "text_completion"
    return {"id": "cmpl-mock", "object": kind, "created": 1700000000, "model": "mock", "choices": choices}


def _piece(request, text):
    """One event; text None is the last one, with the finish reason."""
    choice = {"index": 0, "finish_reason": None if text is not None else "stop"}
    if request.chat:
        choice["delta"] = {"content": text} if text is not None else {}
    else:
        choice["text"] = text or ""
    return _frame(request, [choice])


def _whole(request, text, usage):
    choice = {"index": 0, "finish_reason": "stop", "logprobs": None}
    if request.chat:
        choice["message"] = {"role": "assistant", "content": text}
    else:
        choice["text"] = text
    answer = _frame(request, [choice])
    answer["object"] = "chat.completion" if request.chat else "text_completion"
    if usage is not None:
        answer["usage"] = usage
    return answer
