"""A TCP proxy before a server of a test, which can be slow, cut answers in half, or come and go."""
import contextlib
import selectors
import socket
import struct
import threading
import time


class FaultProxy:
    """Listens on `port` and passes everything on to `to`, as `fault` says: None, "slow" (every byte of an
    answer, and of a question where `both_ways`, two seconds late), "cut" (an answer ends after its first byte,
    and the connection with it), "reset" (the same, and the other side is told so rudely), "refuse" (every
    connection ends at once), "black-hole" (nothing passes until the fault is over; connections are taken),
    "flap" (refuse and nothing in turn, `flap_seconds` each). What is set counts for bytes that come from then
    on."""

    DELAY = 2
    flap_seconds = 5
    both_ways = True

    def __init__(self, to):
        self.to, self.fault = to, None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.wake, self.waker = socket.socketpair()
        self.peers = {}  # socket -> the other one
        self.servers = set()  # of them, those to the server
        self.late = []  # (when, socket, bytes), in order
        self.held = []  # (socket, bytes) that wait for the end of a black hole
        self.running = True
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def close(self):
        self.running = False
        self.waker.send(b"x")
        self.thread.join()
        for one in [*self.peers, self.listener, self.wake, self.waker]:
            one.close()

    def run(self):
        with selectors.DefaultSelector() as selector:
            self.selector = selector
            selector.register(self.listener, selectors.EVENT_READ)
            selector.register(self.wake, selectors.EVENT_READ)
            while self.running:
                ready = [key.fileobj for key, _ in selector.select(0.02)]
                if self.now() != "black-hole":
                    held, self.held = self.held, []
                    for one, data in held:
                        self.write(one, data)
                if self.now() == "refuse":
                    for one in list(self.peers):
                        self.end(one)
                for one in ready:
                    if one is self.listener:
                        self.accept()
                    elif one in self.peers:
                        self.read(one)
                while self.late and self.late[0][0] <= time.monotonic():
                    self.write(*self.late.pop(0)[1:])

    def now(self):
        """The fault of this moment."""
        if self.fault == "flap":
            return "refuse" if int(time.monotonic() / self.flap_seconds) % 2 == 0 else None
        return self.fault

    def accept(self):
        client, _ = self.listener.accept()
        try:
            server = socket.create_connection(("127.0.0.1", self.to), timeout=5)
        except OSError:
            client.close()
            return
        for one, other in ((client, server), (server, client)):
            self.peers[one] = other
            self.selector.register(one, selectors.EVENT_READ)
        self.servers.add(server)

    def read(self, one):
        try:
            data = one.recv(65536)
        except OSError:
            data = b""
        fault, answers = self.now(), one in self.servers
        if not data:
            self.end(one)
        elif fault == "black-hole":
            self.held.append((self.peers[one], data))
        elif fault == "slow" and (answers or self.both_ways):
            self.late.append((time.monotonic() + self.DELAY, self.peers[one], data))
        elif fault in ("cut", "reset") and answers:
            client = self.peers[one]
            self.write(client, data[:1])
            if fault == "reset":  # closed with bytes on their way: RST
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.end(one)
        else:
            self.write(self.peers[one], data)

    def write(self, one, data):
        if one in self.peers:
            try:
                one.sendall(data)
            except OSError:
                self.end(one)

    def end(self, one):
        for gone in (one, self.peers.get(one)):
            if gone in self.peers:
                del self.peers[gone]
                self.servers.discard(gone)
                with contextlib.suppress(KeyError, ValueError):
                    self.selector.unregister(gone)
                gone.close()
