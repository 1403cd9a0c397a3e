"""Requests at a steady rate over kept connections, and what became of them."""
import collections
import http.client
import threading
import time


class Load:
    """Asks the servers for `path` in turn, `per_second` in all, until stop() or `seconds` have passed.
    Counts answers by status; what is no answer is counted as the name of its error."""

    def __init__(self, servers, headers, per_second, seconds=None, path="/experiments?limit=1", threads=6):
        self.servers, self.headers, self.path = servers, headers, path
        self.pause = threads / per_second
        self.each = None if seconds is None else round(per_second * seconds / threads)
        self.counts = collections.Counter()
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.begun = time.monotonic()
        self.ended = self.begun
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        server = self.servers[number % len(self.servers)]
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        counts, due, sent = collections.Counter(), self.begun, 0
        while not self.stopped.is_set() and sent != self.each:
            due += self.pause
            self.stopped.wait(max(0, due - time.monotonic()))
            try:
                connection.request("GET", self.path, headers=self.headers[(number + sent) % len(self.headers)])
                answer = connection.getresponse()
                answer.read()
                counts[answer.status] += 1
            except (OSError, http.client.HTTPException) as error:
                counts[type(error).__name__] += 1
                connection.close()
            sent += 1
        connection.close()
        with self.lock:
            self.counts += counts
            self.ended = max(self.ended, time.monotonic())

    def end(self):
        """Waits for the last request; gives the counts."""
        for thread in self.threads:
            thread.join()
        return self.counts

    def stop(self):
        self.stopped.set()
        return self.end()

    @property
    def seconds(self):
        return self.ended - self.begun
