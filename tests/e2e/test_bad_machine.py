"""What a machine may do to a run: a full disk, a read-only home, two processes at once, a clock that
jumps. Each ends with a clear message and an intact store (checked after every test)."""
import contextlib
import ctypes
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import unittest

import support

ROWS = 300
SHIM = pathlib.Path(__file__).with_name("clock_shim.c")


@contextlib.contextmanager
def small_disk(folder, size):
    """A file system of this size in a folder, as root; None when it cannot be had."""
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    mounted = os.geteuid() == 0 and libc.mount(
        b"lab", str(folder).encode(), b"tmpfs", 0, f"size={size}".encode()
    ) == 0
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            libc.umount2(str(folder).encode(), 2)


class BadMachine(support.LabTest):
    def prepare(self, rows=ROWS, **options):
        self.rows(rows)
        endpoint = self.endpoint(**options)
        return endpoint, self.write_spec(support.spec(endpoint.base_url, run={"concurrency": 8}))

    def complete_after(self, endpoint, home):
        """The run goes on where it stopped and nothing stored was asked again."""
        with home.store() as store:
            self.assertEqual(store.problems(), [])
            stored = set(store.stored())
        before = len(endpoint.requests)
        done = home.run("resume", "last")
        self.assert_code(done, support.PASSED)
        report = home.report()
        self.assertEqual((report.total("done"), report.total("missing")), (ROWS, 0))
        self.assertEqual(report.mean(), support.correct_of(ROWS) / ROWS)
        again = {int(r.prompt.split("item ")[1].split("?")[0]) for r in endpoint.requests[before:]}
        self.assertEqual(again & stored, set())

    def test_a_full_disk_is_said_and_the_run_goes_on_when_there_is_room(self):
        text = "long answer " * 400
        endpoint, file = self.prepare(answer=lambda prompt: text)
        with small_disk(self.folder / "disk", "1m") as disk:
            if disk is None:
                # Nobody but root may mount; the next test fills a file instead.
                print("  no right to mount a small file system: only the limit of file size is tested")
                return
            home = support.Home(disk)
            home.environment = lambda **more: support.Home.environment(home, TMPDIR=str(disk), **more)
            done = home.run("run", file)
            self.assert_code(done, support.OTHER)
            self.assertRegex(done.err.lower(), "full|no space")
            self.assert_says(done, str(disk))
            support.assert_intact(self, home)
            # With room again: the home moves to the larger disk as it is.
            larger = support.Home(self.folder / "larger")
            larger.folder.mkdir()
            shutil.copytree(home.path, larger.path)
        stored_before = self.stored(larger)
        done = larger.run("resume", "last")
        self.assert_code(done, support.PASSED)
        report = larger.report()
        self.assertEqual(report.total("done"), ROWS)
        self.assertTrue(all(output == text for output in report.outputs().values()))
        self.assertLessEqual(stored_before, self.stored(larger))
        support.assert_intact(self, larger)

    @staticmethod
    def stored(home):
        with home.store() as store:
            return set(store.stored())

    def test_a_file_that_may_not_grow_is_said_and_the_run_goes_on_later(self):
        endpoint, file = self.prepare()
        # The empty store fits; what the run writes does not.
        self.assert_code(self.home.run("runs", "list"), support.PASSED)
        most = (self.home.path / "lab.db").stat().st_size + 10_000

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

        done = self.home.run("run", file, preexec_fn=limit)
        self.assert_code(done, support.OTHER)
        self.assertRegex(done.err.lower(), "may not grow|too large")
        self.assert_says(done, str(self.home.path))
        self.complete_after(endpoint, self.home)

    def test_a_full_disk_under_a_report_is_said(self):
        _, file = self.prepare()
        self.assert_code(self.home.run("run", file), support.PASSED)
        done = self.home.run("report", "last", "--save", "/dev/full/report.html")
        self.assertNotEqual(done.code, support.PASSED)
        with open("/dev/full", "w") as full:
            done = self.home.run("report", "last", "-o", "json", stdout=full)
        self.assert_code(done, support.OTHER)
        self.assertRegex(done.err.lower(), "no space|cannot write")

    def test_a_read_only_home_is_said_with_its_name(self):
        endpoint, file = self.prepare()
        disk = self.folder / "read-only"
        disk.mkdir(mode=0o500)
        if os.geteuid() == 0:
            # Root may write where nobody may; a read-only file system stops root too.
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.mount(b"lab", str(disk).encode(), b"tmpfs", 1, b"size=1m") == 0:
                self.addCleanup(libc.umount2, str(disk).encode(), 2)
            else:
                disk = pathlib.Path("/sys")  # in a container without the right to mount
        home = support.Home(self.folder)
        home.path = disk / "home"
        done = home.run("run", file)
        self.assert_code(done, support.OTHER)
        self.assert_says(done, str(disk))
        self.assertRegex(done.err.lower(), "read-only|permission|not writable|cannot")
        self.assertEqual(endpoint.requests, [])
        checked = home.run("doctor")
        self.assert_code(checked, support.OTHER)
        self.assertIn(str(disk), checked.out + checked.err)

    def test_two_runs_share_a_home(self):
        endpoint, file = self.prepare(latency=0.005)
        processes = [
            self.home.start("run", file, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)
        ]
        for process in processes:
            out, err = process.communicate(timeout=120)
            self.assertEqual(process.returncode, support.PASSED, err.decode())
        self.assertEqual(self.home.run_states(), ["completed", "completed"])
        self.assertEqual(len(endpoint.requests), 2 * ROWS)

    def test_a_run_that_somebody_works_on_cannot_be_resumed(self):
        endpoint, file = self.prepare(latency=0.05)
        process = self.home.start("run", file, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            # Its first words: the run exists now.
            first = process.stderr.readline()
            self.assertIn("run ", first)
            done = self.home.run("resume", "last")
            self.assert_code(done, support.OTHER)
            self.assertRegex(done.err, "process")
            cancelled = self.home.run("runs", "cancel", "last")
            self.assert_code(cancelled, support.OTHER)
        finally:
            _, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, support.PASSED, err)
        self.assertEqual(len(endpoint.requests), ROWS)

    def test_a_clock_that_jumps_changes_nothing(self):
        compiler = next((name for name in ("clang-19", "clang", "cc", "gcc") if shutil.which(name)), None)
        if compiler is None:
            self.skipTest("no C compiler for the clock")
        shim = self.folder / "clock.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(shim), str(SHIM), "-ldl"], check=True)
        refuse = support.mock_llm.Status(429, headers=[("Retry-After", "0")])
        endpoint, file = self.prepare(
            latency=0.002, script=lambda r: refuse if r.attempt == 0 and r.number % 10 == 9 else None
        )
        plain = support.Home(self.folder / "plain")
        plain.folder.mkdir()
        self.assert_code(plain.run("run", file), support.PASSED)
        for seconds in ("86400000", "-86400000", "600"):
            with self.subTest(seconds=seconds):
                folder = self.folder / f"jump{seconds}"
                folder.mkdir()
                home = support.Home(folder)
                done = home.run(
                    "run", file, timeout=60,
                    env={"LD_PRELOAD": str(shim), "CLOCK_JUMP_S": seconds, "CLOCK_JUMP_EVERY": "7"},
                )
                self.assert_code(done, support.PASSED)
                report = home.report()
                self.assertEqual(report.results_bytes, plain.report().results_bytes)
                latency = report.figures()["latency"]
                self.assertTrue(0 < latency["mean_s"] <= latency["max_s"] < 60, latency)
                support.assert_intact(self, home)


if __name__ == "__main__":
    unittest.main()
