#!/usr/bin/env python3
"""The service when ten times as much is asked of it as it can do, when clients take their time, and
when nothing happens at all.

Usage: overload.py [--binary PATH] [--seconds S] [--slow N] [--strict]
Peak is what 32 connections get. Overload is what ten times as many ask for, each four requests ahead
of its answers. Load, prober and service share one machine: figures are those of that, too.
"""
import argparse
import pathlib
import socket
import statistics
import threading
import time

import api_parts as parts

LIST = "/experiments?limit=1"
PEAK_CONNECTIONS = 32
AHEAD = """
init = function(args)
  local one = wrk.format(nil, "{path}")
  request_text = string.rep(one, 4)
end
request = function() return request_text end
"""


class SlowClients:
    """Many connections that send a head, send a body or read an answer a little at a time; from many
    addresses, so that they are no single peer."""

    def __init__(self, port, count):
        self.port, self.count = port, count
        self.open, self.lost = [], 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        for number in range(self.count):
            self.open.append(self.connect(number))
        self.thread.start()
        return self

    def connect(self, number):
        one = socket.socket()
        # A small window: what is not read soon waits in the service.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.bind((f"127.0.{2 + number // 250 % 250}.{1 + number % 250}", 0))
        one.connect(("127.0.0.1", self.port))
        one.setblocking(False)
        kind = number % 3
        first = (
            b"GET /models HTTP/1.1\r\nHost: a\r\nX-Slow: ",
            b"POST /models HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n",
            b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n",
        )[kind]
        one.send(first)
        return one, kind

    def run(self):
        """A byte each, every second or so."""
        while not self.stopped.is_set():
            for one, kind in self.open:
                try:
                    if kind == 2:
                        one.recv(1)
                    else:
                        one.send(b"x")
                except BlockingIOError:
                    pass
                except OSError:
                    self.lost += 1
                if self.stopped.wait(1 / max(1, self.count)):
                    return

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join(20)
        for one, _ in self.open:
            one.close()


def idle(bars, service):
    bars.line("ready after", f"{service.seconds_to_ready:.2f} s", "< 1 s", service.seconds_to_ready < 1)
    time.sleep(2)
    rss = service.rss()
    bars.line("memory when idle", f"{rss:.1f} MB", "< 60 MB", rss < 60)


def overload(bars, service, seconds):
    url = f"http://127.0.0.1:{service.port}{LIST}"
    peak = statistics.median(parts.wrk(url, 5, PEAK_CONNECTIONS, service.token)["good"] for _ in range(3))
    bars.line("peak", f"{peak:,.0f} good answers a second")
    script = pathlib.Path(service.folder) / "ahead.lua"
    script.write_text(AHEAD.replace("{path}", LIST), encoding="ascii")
    most, done = [service.rss()], threading.Event()

    def watch():
        while not done.wait(0.5):
            most.append(service.rss())
    watcher = threading.Thread(target=watch)
    watcher.start()
    with parts.Prober(service.port) as prober:
        under = parts.wrk(url, seconds, 10 * PEAK_CONNECTIONS, service.token, script)
    done.set()
    watcher.join()
    share = under["good"] / peak
    bars.line("goodput at ten times the load", f"{under['good']:,.0f} a second, {share:.0%} of peak", ">= 90 %", share >= 0.9)
    bars.line("of all answers then", f"{under['good'] / under['rate']:.1%} good, the others refused with a time to come back")
    bars.line("/health then, p99", f"{prober.p99():.1f} ms of {len(prober.took)}", "< 100 ms",
              prober.p99() < 100 and prober.failed == 0)
    bars.line("memory then, at most", f"{max(most):.0f} MB", "< 410 MB", max(most) < 410)
    time.sleep(5)
    after = parts.wrk(url, 3, PEAK_CONNECTIONS, service.token)
    bars.line("five seconds later", f"{after['good']:,.0f} a second", ">= 90 % of peak", after["good"] >= 0.9 * peak)


def slow(bars, service, count):
    url = f"http://127.0.0.1:{service.port}{LIST}"
    before = statistics.median(parts.wrk(url, 3, 4, service.token)["p99"] for _ in range(3))
    with SlowClients(service.port, count) as clients, parts.Prober(service.port) as prober:
        time.sleep(2)
        runs = [parts.wrk(url, 3, 4, service.token) for _ in range(3)]
        rss = service.rss()
        lost = clients.lost
    during = statistics.median(run["p99"] for run in runs)
    good = all(run["good"] == run["rate"] and not any(run["errors"]) for run in runs)
    bars.line(f"p99 beside {count:,} slow connections", f"{during:.2f} ms, {before:.2f} ms without",
              "<= 2x, none failed", during <= 2 * before and good)
    bars.line("/health then, p99", f"{prober.p99():.1f} ms", "< 100 ms", prober.p99() < 100 and prober.failed == 0)
    bars.line("memory then", f"{rss:.0f} MB; {lost} times a slow client was turned away")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=parts.ROOT / "build/release/llm-research")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--slow", type=int, default=10_000)
    parser.add_argument("--strict", action="store_true")
    wanted = parser.parse_args()
    parts.open_files()
    service = parts.Service(parts.binary_of(wanted.binary))
    bars = parts.Bars("overload")
    try:
        idle(bars, service)
        overload(bars, service, wanted.seconds)
        slow(bars, service, wanted.slow)
    finally:
        code, took = service.close()
    bars.line("end", f"exit code {code} after {took:.1f} s", "0 within 14 s", code == 0 and took < 14)
    return bars.end(wanted.strict)


if __name__ == "__main__":
    raise SystemExit(main())
