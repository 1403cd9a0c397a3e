"""Faults between the service and the servers it stands on: what each dependency may cost, load that goes on
meanwhile, and a table of what happened."""
import collections
import dataclasses
import http.client
import itertools
import json
import os
import threading
import time
import urllib.parse
import uuid

#: What can be done to a connection: names of FaultProxy.
FAULTS = ("refuse", "black-hole", "slow", "reset", "flap")
SECONDS = float(os.environ.get("FAULT_SECONDS", "2"))
CHOSEN = tuple(os.environ.get("FAULTS", "reset").split())

WRITE_MAX = 3.5  # seconds until a write is refused
NOT_READY_MAX = 15  # until /health/ready says so
READY_AGAIN_MAX = 10
SERVER_ERRORS = {500, 502, 503, 504}


@dataclasses.dataclass
class Answer:
    job: str
    status: object  # a number, or the name of what went wrong instead
    seconds: float
    at: float


@dataclasses.dataclass
class Dependency:
    """What the contract says of the service while a server is away."""
    name: str
    component: str  # in /health/ready, "" for what is not there
    critical: bool  # without it the service is not ready
    may_fail: dict  # job -> statuses it may have; others have none but success
    extra: tuple = ()  # jobs besides those of every row
    job_max: dict = dataclasses.field(default_factory=dict)  # job -> seconds at most
    noticed: tuple = ("refuse", "black-hole", "slow", "reset")  # faults that /health/ready tells of
    noticed_max: float = NOT_READY_MAX
    again_max: float = READY_AGAIN_MAX  # until everything is healthy again


#: What each may cost: reliability, "Dependencies".
DEPENDENCIES = {
    "postgresql": Dependency(
        "postgresql", "database", True, {job: {503} for job in ("write", "read", "upload", "download")},
        {"write": WRITE_MAX, "read": WRITE_MAX},
    ),
    "redis": Dependency("redis", "cache", False, {}),
    # Of a bucket that hangs one hears when a call is given up, or by the next check.
    "s3": Dependency("s3", "storage", False, {"upload": {502, 503}, "download": {502, 503}},
                     noticed=("refuse", "black-hole", "reset"), noticed_max=45),
    # Told behind everybody's back: a slow one is only late, and it is asked again every 3 s at most. Then
    # what was written meanwhile is to be told.
    "clickhouse": Dependency("clickhouse", "analytics", False, {}, extra=("measure",),
                             noticed=("refuse", "black-hole", "reset"), noticed_max=45, again_max=20),
    "collector": Dependency("collector", "", False, {}, noticed=()),
    "secrets": Dependency("secrets", "", False, {}, extra=("login",), noticed=()),
}


class Load:
    """Jobs over connections of their own, one thread each, until stop(). `/health` is asked meanwhile."""

    def __init__(self, port, token, jobs, pause=0.02):
        self.port, self.token, self.pause = port, token, pause
        self.answers, self.accepted, self.measured = [], [], 0
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(name, job)) for name, job in jobs.items()]
        for thread in self.threads:
            thread.start()

    def run(self, name, job):
        connection = None
        while not self.stopped.wait(self.pause):
            connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            begun = time.monotonic()
            try:
                status = job(self, connection)
            except (OSError, http.client.HTTPException) as error:
                status = type(error).__name__
                connection.close()
                connection = None
            with self.lock:
                self.answers.append(Answer(name, status, time.monotonic() - begun, begun))
        if connection:
            connection.close()

    def ask(self, connection, method, path, body=None, kind="application/json"):
        headers = {"Authorization": f"Bearer {self.token}", **({"Content-Type": kind} if body else {})}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()
        return self.answers

    def since(self, begun):
        with self.lock:
            return [one for one in self.answers if one.at >= begun]


def write(load, connection):
    """Makes an experiment; what was accepted is kept."""
    body = json.dumps({"name": f"written {uuid.uuid4()}"})
    status, data = load.ask(connection, "POST", "/experiments", body)
    if status == 201:
        with load.lock:
            load.accepted.append(json.loads(data)["id"])
    return status


def read(load, connection):
    return load.ask(connection, "GET", "/experiments?limit=1")[0]


def health(load, connection):
    return load.ask(connection, "GET", "/health")[0]


def upload(artifacts):
    def job(load, connection):
        name = urllib.parse.quote(f"{uuid.uuid4()}.bin")
        return load.ask(
            connection, "POST", f"{artifacts}?name={name}", os.urandom(4096), "application/octet-stream"
        )[0]
    return job


def download(content):
    def job(load, connection):
        return load.ask(connection, "GET", content)[0]
    return job


def measure(run):
    """Sends points of a run; counted are those that were accepted."""
    steps = itertools.count()

    def job(load, connection):
        body = json.dumps([{"name": "loss", "value": 0.5, "step": next(steps)} for _ in range(10)])
        status, _ = load.ask(connection, "POST", f"{run}/metrics", body)
        if status == 201:
            load.measured += 10
        return status
    return job


def login(email, password):
    """Logins are limited, to one a second."""
    def job(load, connection):
        load.stopped.wait(1.2)
        return load.ask(connection, "POST", "/auth/token", json.dumps({"email": email, "password": password}))[0]
    return job


class Table:
    """`dependency, fault, seconds, requests, failed, slowest, what happened`."""

    ROWS = []

    @classmethod
    def add(cls, dependency, fault, seconds, answers, happened):
        failed = [one for one in answers if not is_success(one.status)]
        slowest = max((one.seconds for one in answers), default=0)
        cls.ROWS.append(
            (dependency, fault, f"{seconds:.0f}", str(len(answers)), str(len(failed)), f"{slowest:.2f} s", happened)
        )

    @classmethod
    def show(cls):
        head = ("dependency", "fault", "seconds", "requests", "failed", "slowest", "what happened")
        rows = [head, *cls.ROWS]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head) - 1)]
        for row in rows:
            print("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[-1]]), flush=True)


def is_success(status):
    return isinstance(status, int) and status < 400


def summary(answers):
    """{"write": "201: 40, 503: 3"} as text: what each job was answered."""
    counts = collections.defaultdict(collections.Counter)
    for one in answers:
        counts[one.job][one.status] += 1
    return "; ".join(
        f"{job} " + ", ".join(f"{status}: {number}" for status, number in sorted(found.items(), key=str))
        for job, found in sorted(counts.items())
    )
