"""How long pods took to go: a watch that notes when each was told to and when it had ended."""
import datetime
import subprocess
import threading

import world

FIELDS = ("{.metadata.name} {.metadata.deletionTimestamp} {.metadata.deletionGracePeriodSeconds} "
          "{.status.containerStatuses[0].state.terminated.finishedAt} "
          "{.status.containerStatuses[0].state.terminated.exitCode} {.metadata.labels.app}{\"\\n\"}")
PRE_STOP = {"llm-research-api": 15}  # seconds before SIGTERM; workers have no preStop


def when(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Ends:
    """A context; `seconds` has name -> seconds from SIGTERM to the end, `codes` how each ended."""

    def __init__(self):
        self.told, self.seconds, self.codes = {}, {}, {}

    def __enter__(self):
        self.process = subprocess.Popen(
            ["kubectl", "get", "pods", "-n", world.NAMESPACE, "-w", "-o", "jsonpath=" + FIELDS],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.thread.join(5)

    def read(self):
        for line in self.process.stdout:
            self.note(line.split(" "))

    def note(self, fields):
        if len(fields) != 6:
            return
        name, deleted, grace, ended, code, app = (field.strip() for field in fields)
        if not deleted or app not in ("llm-research-api", "llm-research-worker"):
            return
        # The kubelet's own deletion at the end has other times.
        told = self.told.setdefault(name, when(deleted) - int(grace or 0) + PRE_STOP.get(app, 0))
        if ended:
            self.seconds[name], self.codes[name] = when(ended) - told, code

    def summary(self):
        if not self.seconds:
            return "no pod was ended"
        bad = sorted(code for code in self.codes.values() if code != "0")
        return (f"{len(self.seconds)} pods ended at most {max(self.seconds.values()):.0f} s after SIGTERM"
                + (f", exit codes {' '.join(bad)}" if bad else ""))
