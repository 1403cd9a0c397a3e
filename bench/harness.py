"""What the measurements share: the helper programs, experiment files, runs of both subjects, and
the reading of our reports, which stands here and nowhere else."""
import json
import os
import pathlib
import platform
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "bench"
ANSWER = "The answer is {}"


class BenchError(Exception):
    """A run that did not do its work: its figures would mean nothing."""


def build_helpers():
    """Builds mock, loop and measure with the Go toolchain; nothing is downloaded."""
    if shutil.which("go") is None:
        raise BenchError("the measurements need the Go toolchain (Debian package golang-go)")
    binaries = WORK / "bin"
    binaries.mkdir(parents=True, exist_ok=True)
    env = dict(os.environ, GOTOOLCHAIN="local", GOPROXY="off", CGO_ENABLED="0")
    for name in ("mock", "loop", "measure"):
        subprocess.run(
            ["go", "build", "-o", str(binaries / name), "./" + name],
            cwd=ROOT / "bench", env=env, check=True,
        )
    return binaries


def raise_file_limit():
    """Thousands of connections on both sides; says how many descriptors there may be."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def machine(binary):
    """The machine and the versions, for the head of every table."""

    def first_line(command):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=30)
            return (done.stdout or done.stderr).strip().split("\n")[0]
        except OSError:
            return "not found"

    def field(path, name):
        for line in pathlib.Path(path).read_text().splitlines():
            if line.startswith(name):
                return line.split(":", 1)[1].strip()
        return "unknown"

    load = os.getloadavg()
    return {
        "cpu": field("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory": field("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(),
        "load_before": f"{load[0]:.2f} {load[1]:.2f} {load[2]:.2f}",
        "llm_research": first_line([str(binary), "version"]),
        "commit": first_line(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]),
        "go": first_line(["go", "version"]),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


class Mock:
    """The endpoint, as a process of its own; fresh counts for every run."""

    def __init__(self, binaries, *options):
        self.process = subprocess.Popen(
            [str(binaries / "mock"), *options], stdout=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline().strip()
        if not line:
            raise BenchError("the mock endpoint did not start")
        self.port = int(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def get(self, path):
        address = f"http://127.0.0.1:{self.port}{path}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(address, timeout=30) as response:
            return response.read().decode()

    def stats(self):
        return json.loads(self.get("/stats"))


def prompt_of(question):
    """The user message that both subjects send for a row."""
    return f"Question: {question}\nAnswer:"


def mock_answer(question):
    """What the endpoint answers: a function of the prompt, the same as in mock/answer.go."""
    return ANSWER.format(zlib.crc32(prompt_of(question).encode()) % 1000)


def dataset(rows, with_outputs=False):
    """A generated dataset, kept between runs of the program. Three of four answers are right, so
    that a scorer that says yes to everything is found out."""
    folder = WORK / "data"
    folder.mkdir(parents=True, exist_ok=True)
    path, outputs = folder / f"rows-{rows}.jsonl", folder / f"outputs-{rows}.jsonl"
    if path.exists() and (outputs.exists() or not with_outputs):
        return path, outputs
    temporary, temporary_outputs = path.with_suffix(".part"), outputs.with_suffix(".part")
    with open(temporary, "w") as out, open(temporary_outputs, "w") as said:
        for i in range(rows):
            question = f"What is item {i} of the list, and how does it relate to item {i * 7 % rows}?"
            answer = mock_answer(question)
            expected = answer if i % 4 else "something else"
            out.write(json.dumps({"id": f"r{i:07d}", "question": question, "answer": expected}) + "\n")
            if with_outputs:
                said.write(json.dumps({"id": f"r{i:07d}", "output": answer}) + "\n")
    os.replace(temporary, path)
    if with_outputs:
        os.replace(temporary_outputs, outputs)
    else:
        temporary_outputs.unlink()
    return path, outputs


def correct_of(rows):
    return rows - (rows + 3) // 4


def experiment(folder, rows_path, *, base_url=None, outputs=None, stream=False, concurrency=64):
    """Writes an experiment file and gives its path."""
    if outputs is not None:
        model = f'{{id: recorded, provider: replay, replay: {{path: "{outputs}"}}}}'
    else:
        model = (
            f'{{id: mock, provider: openai, model: mock, base_url: "{base_url}", '
            f"stream: {str(stream).lower()}, parameters: {{max_tokens: 64}}, "
            'pricing: {input_per_million: "0.15", output_per_million: "0.60"}}'
        )
    path = folder / "experiment.yaml"
    path.write_text(
        "name: bench\n"
        f'dataset: {{path: "{rows_path}"}}\n'
        'prompts: [{id: p, template: "Question: {{question}}\\nAnswer:"}]\n'
        f"models: [{model}]\n"
        'scorers: [{type: exact_match, reference: "{{answer}}"}]\n'
        f"run: {{concurrency: {concurrency}, max_error_share: 1}}\n"
    )
    return path


class Home:
    """A fresh home for one run, on the same disk as the build."""

    def __init__(self):
        WORK.mkdir(parents=True, exist_ok=True)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=WORK))
        self.env = {
            name: text for name, text in os.environ.items()
            if not name.lower().endswith("_proxy") and not name.startswith("LLM_RESEARCH_")
        }
        self.env["LLM_RESEARCH_HOME"] = str(self.folder / "home")
        self.env["XDG_CONFIG_HOME"] = str(self.folder / "config")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)


def measured(binaries, command, folder, env):
    """Runs a command to its end; gives what it used, and its output as text."""
    figures = folder / "figures.json"
    with open(figures, "w") as third, open(folder / "stdout", "w") as out, \
            open(folder / "stderr", "w") as err:
        descriptor = third.fileno()

        def put_at_three():
            os.dup2(descriptor, 3)

        subprocess.run(
            [str(binaries / "measure"), *map(str, command)],
            stdout=out, stderr=err, stdin=subprocess.DEVNULL, env=env,
            pass_fds=(3,) if descriptor != 3 else (descriptor,), preexec_fn=put_at_three, check=True,
        )
    used = json.loads(figures.read_text())
    used["cpu_s"] = used["user_s"] + used["system_s"]
    used["stdout"] = (folder / "stdout").read_text()
    used["stderr"] = (folder / "stderr").read_text()
    return used


def run_ours(binary, binaries, home, file):
    used = measured(binaries, [binary, "run", file], home.folder, home.env)
    if used["exit_code"] != 0:
        raise BenchError(
            f"llm-research run ended with {used['exit_code']}:\n{used['stderr'][-2000:]}"
        )
    return used


def run_peer(binaries, home, rows_path, url, concurrency, stream):
    command = [
        binaries / "loop", "-url", url, "-dataset", rows_path, "-concurrency", str(concurrency)
    ]
    used = measured(binaries, command + (["-stream"] if stream else []), home.folder, home.env)
    if used["exit_code"] != 0:
        raise BenchError(f"the loop ended with {used['exit_code']}: {used['stderr'][-2000:]}")
    used["said"] = json.loads(used["stdout"])
    return used


def read_report(binary, home):
    """The facts of the last run that a measurement checks, from our own JSON report."""
    path = home.folder / "report.json"
    done = subprocess.run(
        [str(binary), "report", "last", "--save", str(path)],
        env=home.env, capture_output=True, text=True,
    )
    if not path.exists():
        raise BenchError(f"no report ({done.returncode}): {done.stderr[-2000:]}")
    with open(path) as file:
        report = json.load(file)
    totals = report["totals"]
    metrics = report["results"]["variants"][0]["metrics"]
    estimate = next(iter(metrics.values()))
    return {
        "done": totals["done"],
        "missing": totals["missing"],
        "calls": totals["calls"],
        "retries": totals["retries"],
        "cost_usd": totals["cost_usd"],
        "mean": estimate["value"],
    }


def check_complete(report, rows):
    """Every row answered and scored: nothing was saved by not doing it."""
    if report["done"] != rows or report["missing"] != 0:
        raise BenchError(f"{report['done']} of {rows} rows have an answer")
    if abs(float(report["mean"]) - correct_of(rows) / rows) > 1e-9:
        raise BenchError(f"accuracy {report['mean']}, expected {correct_of(rows)}/{rows}")
