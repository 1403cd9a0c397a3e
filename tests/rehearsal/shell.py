"""Runs the text of a block as an operator would: pasted into bash, as a script of its own, or at a terminal."""
import dataclasses
import itertools
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import time

# A block that is pasted: what it exports is there for the next one.
PASTED = 'set -e -o pipefail; source "$LAB_BLOCK"; env -0 >"$LAB_ENVIRONMENT"'
# At a terminal ^C ends a command, and the next one follows.
AT_TERMINAL = 'trap : INT; source "$LAB_BLOCK"'
#: Until somebody who has seen something presses a key; by then the command that said it is the one that runs.
SEEN_SECONDS = 1
SILENT_SECONDS = 5
#: Set by bash itself, or by us.
NOT_KEPT = ("_", "SHLVL", "PWD", "OLDPWD", "LAB_BLOCK", "LAB_ENVIRONMENT")


@dataclasses.dataclass
class Outcome:
    code: int
    output: str
    seconds: float
    env: dict = dataclasses.field(default_factory=dict)


def pasted(text, env, folder, seconds):
    block, after = pathlib.Path(folder) / "block.sh", pathlib.Path(folder) / "environment"
    block.write_text(text)
    after.unlink(missing_ok=True)
    outcome = call(["bash", "-c", PASTED], {**env, "LAB_BLOCK": str(block), "LAB_ENVIRONMENT": str(after)},
                   folder, seconds)
    if after.exists():
        pairs = (one.partition("=") for one in after.read_text().split("\0") if one)
        outcome.env = {name: value for name, _, value in pairs if name not in NOT_KEPT}
    return outcome


def script(text, env, folder, seconds, name="script.sh", arguments=()):
    path = pathlib.Path(folder) / name
    path.write_text(text)
    path.chmod(0o755)
    return call(["bash", str(path), *arguments], env, folder, seconds)


def call(command, env, folder, seconds):
    """The command with all it started ends when its time is over."""
    began = time.monotonic()
    with open(pathlib.Path(folder) / "output", "w+b") as output:
        process = subprocess.Popen(command, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = 124
        end_group(process.pid)
        process.wait()
        output.seek(0)
        text = output.read().decode(errors="replace")
    return Outcome(code, text, time.monotonic() - began)


def end_group(pid):
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def at_terminal(text, env, folder, seconds, dialog):
    """`dialog`: what is waited for (a pattern of what came since the last), and the keys that are pressed then. Without
    one, whatever is silent for a while is ended: by ^C, and if that does not help by ^D."""
    block = pathlib.Path(folder) / "block.sh"
    block.write_text(text)
    began = time.monotonic()
    pid, terminal = pty.fork()
    if pid == 0:
        # Whoever was started in the background has it ignored, and leaves it so.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.chdir(folder)
        os.execvpe("bash", ["bash", "-c", AT_TERMINAL],
                   {**env, "LAB_BLOCK": str(block), "TERM": "xterm", "COLUMNS": "160", "LINES": "50"})
    heard, seen, steps, last, ways = "", 0, list(dialog), time.monotonic(), itertools.cycle("\x03\x04")
    try:
        while time.monotonic() - began < seconds:
            more = hear(terminal)
            if more is None:
                break
            heard += more
            last = time.monotonic() if more else last
            if not dialog and time.monotonic() - last > SILENT_SECONDS:
                last = time.monotonic()
                os.write(terminal, next(ways).encode())
            if steps and (found := re.search(steps[0][0], heard[seen:])):
                seen += found.end()
                time.sleep(SEEN_SECONDS)
                os.write(terminal, steps.pop(0)[1].encode())
    finally:
        end_group(pid)
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
    code = os.waitstatus_to_exitcode(status)
    if steps:
        return Outcome(124, heard + f"\n[waited in vain for {steps[0][0]!r}]", time.monotonic() - began)
    # ^C was meant: 130 is what bash says of it.
    return Outcome(0 if code == 130 else code, heard, time.monotonic() - began)


def hear(terminal):
    """What came within a moment; None at the end."""
    if not select.select([terminal], [], [], 0.2)[0]:
        return ""
    try:
        data = os.read(terminal, 65536)
    except OSError:
        return None
    return data.decode(errors="replace") if data else None
