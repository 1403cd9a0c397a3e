"""A TCP proxy before a server of a test, which can be slow, cut answers in half, or come and go."""
import contextlib
import selectors
import socket
import threading
import time


class FaultProxy:
    """Listens on `port` and passes everything on to `to`, as `fault` says: None, "slow" (every byte two
    seconds late), "cut" (an answer ends after its first byte, and the connection with it), "refuse" (every
    connection ends at once), "hole" (bytes go nowhere). What is set counts for bytes that come from then on."""

    DELAY = 2

    def __init__(self, to):
        self.to, self.fault = to, None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.wake, self.waker = socket.socketpair()
        self.peers = {}  # socket -> the other one
        self.servers = set()  # of them, those to the server
        self.late = []  # (when, socket, bytes), in order
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
                if self.fault == "refuse":
                    for one in list(self.peers):
                        self.end(one)
                for one in ready:
                    if one is self.listener:
                        self.accept()
                    elif one in self.peers:
                        self.read(one)
                while self.late and self.late[0][0] <= time.monotonic():
                    self.write(*self.late.pop(0)[1:])

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
        if not data:
            self.end(one)
        elif self.fault == "hole":
            return
        elif self.fault == "slow":
            self.late.append((time.monotonic() + self.DELAY, self.peers[one], data))
        elif self.fault == "cut" and one in self.servers:
            self.write(self.peers[one], data[:1])
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
