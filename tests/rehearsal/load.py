"""Load on the service while something is done to it: requests at a steady rate, streams that are followed, and
experiments that run. What is lost, late or done twice is counted."""
import asyncio
import json
import threading
import time
import urllib.parse
import uuid

PATHS = ("/experiments?limit=1", "/models?limit=5", "/prompts?limit=5", "/models/providers", "/datasets?limit=5")
WRITE_EVERY = 10  # the how many-th request is a write
TIMEOUT = 10
KEPT = 20  # examples of failures


class Closed(Exception):
    """The connection ended before the first byte of an answer."""


class Connection:
    """HTTP/1.1 over one connection at a time, kept as long as the server keeps it."""

    def __init__(self, address):
        self.address = address
        self.reader = self.writer = None
        self.made = None  # the prompt that its next write removes: lists stay as long as they are

    async def open(self):
        self.reader, self.writer = await asyncio.open_connection(self.address.hostname, self.address.port or 80)

    def close(self):
        if self.writer:
            self.writer.close()
        self.reader = self.writer = None

    async def ask(self, method, path, headers, body=b""):
        """(status, headers, body). One that the server closed while it was idle is opened again once, as every
        client does."""
        reused = self.writer is not None
        try:
            return await self.exchange(method, path, headers, body)
        except (Closed, ConnectionError):
            self.close()
            if not reused:
                raise
            return await self.exchange(method, path, headers, body)

    async def exchange(self, method, path, headers, body):
        if self.writer is None:
            await self.open()
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.address.netloc}", f"Content-Length: {len(body)}",
                 *(f"{name}: {value}" for name, value in headers.items())]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        status, answered = await self.head()
        data = await self.reader.readexactly(int(answered.get("content-length", 0)))
        if answered.get("connection", "").lower() == "close":
            self.close()
        return status, answered, data

    async def head(self):
        try:
            text = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError as error:
            if not error.partial:
                raise Closed("closed without an answer") from error
            raise
        first, *rest = text.rstrip("\r\n").split("\r\n")
        pairs = (line.partition(":") for line in rest)
        return int(first.split()[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}


class Load:
    """A context. `rate` requests a second over `connections`, of which each tenth writes: a prompt is made, and removed the
    next time. Streams of the runs at `followed` meanwhile."""

    def __init__(self, url, token, rate=200, connections=24, followed=(), headers=None,
                 writes=True):
        self.address = urllib.parse.urlsplit(url)
        self.token, self.rate, self.connections, self.followed = token, rate, connections, followed
        self.headers, self.writes = headers or {}, writes
        self.answered, self.failed, self.examples, self.seconds = 0, 0, [], []
        self.streams, self.resumed, self.stream_errors = 0, 0, []
        self.began = None
        self.ended = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()), daemon=True)

    def __enter__(self):
        self.began = time.monotonic()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join(2 * TIMEOUT)
        self.took = time.monotonic() - self.began

    def fail(self, what):
        self.failed += 1
        if len(self.examples) < KEPT:
            self.examples.append(f"+{time.monotonic() - self.began:.1f} s {what}")

    async def run(self):
        jobs = [self.worker(number) for number in range(self.connections)]
        jobs += [self.follow(path) for path in self.followed]
        await asyncio.gather(*jobs)

    async def worker(self, number):
        connection = Connection(self.address)
        every = self.connections / self.rate
        due = time.monotonic() + every * number / self.connections
        count = number
        while not self.ended.is_set():
            await asyncio.sleep(max(0, due - time.monotonic()))
            due = max(due + every, time.monotonic() - 5 * every)  # what is late is made up for, within bounds
            count += 1
            await self.one(connection, count)
        connection.close()

    async def one(self, connection, count):
        began = time.monotonic()
        headers = {"Authorization": f"Bearer {self.token}", **self.headers}
        method, path, body, wanted = "GET", PATHS[count % len(PATHS)], b"", 200
        if self.writes and count % WRITE_EVERY == 0 and connection.made:
            method, path, wanted, connection.made = "DELETE", f"/prompts/{connection.made}", 204, None
        elif self.writes and count % WRITE_EVERY == 0:
            method, path, wanted = "POST", "/prompts", 201
            headers |= {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
            body = json.dumps({"name": "load " + headers["Idempotency-Key"], "template": "{{q}}"}).encode()
        try:
            status, _, data = await asyncio.wait_for(connection.ask(method, path, headers, body), TIMEOUT)
        except (OSError, Closed, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
            connection.close()
            self.fail(f"{method} {path}: {type(error).__name__} {error}")
            return
        self.seconds.append(time.monotonic() - began)
        if status == wanted:
            self.answered += 1
            if status == 201:
                connection.made = json.loads(data)["id"]
        else:
            self.fail(f"{method} {path}: {status} {data[:200]!r}")

    async def follow(self, path):
        """A stream of events, to its end: where it breaks off it is taken up behind the last event."""
        last, done = None, False
        self.streams += 1
        while not done and not self.ended.is_set():
            connection = Connection(self.address)
            headers = {"Authorization": f"Bearer {self.token}", **self.headers,
                       **({"Last-Event-ID": last} if last else {})}
            try:
                last, done = await self.events(connection, path, headers, last)
                self.resumed += not done
            except (OSError, Closed, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
                self.stream_errors.append(f"{path}: {type(error).__name__} {error}")
                await asyncio.sleep(0.2)
            finally:
                connection.close()

    async def events(self, connection, path, headers, last):
        """(id of the last event, whether the run is done or we are) at the end of the stream."""
        await connection.open()
        lines = [f"GET {path} HTTP/1.1", f"Host: {self.address.netloc}", *(f"{k}: {v}" for k, v in headers.items())]
        connection.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        status, _ = await connection.head()
        if status != 200:
            raise Closed(f"the stream is answered with {status}")
        while not self.ended.is_set():
            try:
                line = await asyncio.wait_for(connection.reader.readline(), 30)
            except ConnectionError:
                return last, False
            # The end of the connection, or of the last chunk.
            if not line or line == b"0\r\n":
                return last, False
            if line.startswith(b"id: "):
                last = line[4:].strip().decode()
            if line.startswith(b"event: done"):
                return last, True
        return last, True

    def summary(self):
        ordered = sorted(self.seconds) or [0]
        p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        return (f"{self.answered} of {self.answered + self.failed} requests answered at "
                f"{self.answered / max(self.took, 0.1):.0f}/s, p99 {1000 * p99:.0f} ms, {self.failed} failed; "
                f"{self.streams} streams taken up again {self.resumed} times, {len(self.stream_errors)} errors"
                + "".join(f" ({one})" for one in self.stream_errors[:2]))
