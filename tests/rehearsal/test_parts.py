"""The parts of the rehearsal that need no cluster."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import blocks  # noqa: E402
import pods  # noqa: E402
import runbook  # noqa: E402
import shell  # noqa: E402
import virtual_service  # noqa: E402

TEXT = """# Title
## First
```bash
echo one
```
### Second
```yaml
# config/x.yaml
a: 1
```
"""


class Runbook(unittest.TestCase):
    def test_blocks_have_the_heading_above_them_and_their_text(self):
        first, second = runbook.read(TEXT)
        self.assertEqual((first.number, first.heading, first.language, first.text), (1, "First", "bash", "echo one\n"))
        self.assertEqual((second.heading, second.file_name), ("Second", "config/x.yaml"))

    def test_a_note_says_how_a_block_of_our_own_is_rehearsed(self):
        text = "## First\n<!-- rehearsal: {} -->\n```bash\nx\n```\n```bash\ny\n```\n"
        entries = [blocks.of_ours(runbook.read(text.format(note))[0]) for note in (
            "R30 R31", "R39-R46; script", "R20; cloud: the scanner's database is an outside network's")]
        self.assertEqual([(one.r, one.form, one.run) for one in entries],
                         [("R30 R31", "literal", "pasted"), ("R39-R46", "literal", "script"),
                          ("R20", "cloud", "pasted")])
        for note in ("", "R20; cloud", "R1; somehow", "30"):
            with self.assertRaisesRegex(ValueError, "First"):
                blocks.of_ours(runbook.read(text.format(note))[0])
        with self.assertRaises(ValueError):  # a note is that of the next block alone
            blocks.of_ours(runbook.read(text.format("R30"))[1])

    def test_a_block_that_changes_or_goes_is_drift(self):
        found = runbook.read(TEXT)
        known = {block.key: None for block in found}
        self.assertEqual(runbook.drift(found, known), [])
        changed = runbook.read(TEXT.replace("one", "two"))
        self.assertEqual(len(runbook.drift(changed, known)), 2)
        self.assertIn("Second", runbook.drift(found[:1], known)[0])

    def test_a_fence_that_is_not_closed_is_refused(self):
        with self.assertRaisesRegex(ValueError, "First"):
            runbook.read("## First\n```bash\necho\n")

    def test_the_mapping_knows_every_block_of_the_given_runbook(self):
        if not runbook.GIVEN.exists():
            self.skipTest(f"{runbook.GIVEN} is not there")
        self.assertEqual(runbook.drift(runbook.read(runbook.GIVEN.read_text()), blocks.BLOCKS), [])

    def test_whatever_is_mapped_says_why_and_names_its_numbers(self):
        for key, entry in blocks.BLOCKS.items():
            self.assertRegex(entry.r, r"^R\d+", key)
            self.assertEqual(entry.form == "mapped", bool(entry.why and entry.text), key)

    def test_every_number_of_the_checklist_is_rehearsed_or_elsewhere(self):
        numbers = set()
        for entry in blocks.BLOCKS.values():
            for part in entry.r.split():
                first, _, last = part.replace("R", "").partition("-")
                numbers |= set(range(int(first), int(last or first) + 1))
        # Contacts, and what cuts across: tests/e2e and tests/deploy.
        self.assertEqual(set(range(1, 93)) - numbers, {81, 88, 89, 90, 91, 92})


class Shell(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="lab-rehearsal-")
        self.addCleanup(shutil.rmtree, self.folder)

    def test_what_a_pasted_block_exports_stays(self):
        outcome = shell.pasted('export NEW_VERSION="v1"\necho hello\n', dict(os.environ), self.folder, 20)
        self.assertEqual((outcome.code, outcome.output, outcome.env["NEW_VERSION"]), (0, "hello\n", "v1"))

    def test_a_command_that_fails_fails_the_block(self):
        self.assertNotEqual(shell.pasted("false\necho on\n", dict(os.environ), self.folder, 20).code, 0)

    def test_a_block_that_does_not_end_is_ended_with_all_it_started(self):
        outcome = shell.pasted("sleep 60 & sleep 60\n", dict(os.environ), self.folder, 1)
        self.assertEqual(outcome.code, 124)
        self.assertLess(outcome.seconds, 10)

    def test_at_a_terminal_an_interrupt_goes_on_with_the_next_command(self):
        outcome = shell.at_terminal("echo ready; sleep 60\necho next; tty -s && echo tty\n", dict(os.environ),
                                    self.folder, 20, ((r"ready", "\x03"),))
        self.assertEqual(outcome.code, 0, outcome.output)
        self.assertRegex(outcome.output, r"next\s+tty")

    def test_without_a_dialog_what_is_silent_is_ended(self):
        outcome = shell.at_terminal("sleep 60\ncat\necho next\n", dict(os.environ), self.folder, 60, ())
        self.assertEqual(outcome.code, 0, outcome.output)
        self.assertIn("next", outcome.output)

    def test_what_is_waited_for_in_vain_is_told(self):
        outcome = shell.at_terminal("echo one\n", dict(os.environ), self.folder, 20, ((r"two", "\x03"),))
        self.assertEqual(outcome.code, 124)
        self.assertIn("'two'", outcome.output)


def rule(*weights, match=None):
    route = [{"destination": {"host": f"s{i}", "port": {"number": 8080}}, "weight": weight}
             for i, weight in enumerate(weights)]
    return {"route": route, **({"match": [{"headers": match}]} if match else {})}


class Weights(unittest.TestCase):
    def routes(self, *rules):
        return virtual_service.routes({"spec": {"http": list(rules)}})

    def test_shares_of_a_hundred_are_taken(self):
        self.assertEqual(len(self.routes(rule(100, match={"x-canary": {"exact": "true"}}), rule(90, 10))), 2)

    def test_what_istio_lets_through_and_is_no_share_is_refused(self):
        for weights in ((90, 20), (110, -10), (50,)):
            with self.assertRaises(virtual_service.Wrong):
                self.routes(rule(*weights))

    def test_a_rule_that_hides_another_is_refused(self):
        with self.assertRaisesRegex(virtual_service.Wrong, "hides"):
            self.routes(rule(100), rule(90, 10))

    def test_the_proxy_is_told_headers_and_weights(self):
        found = self.routes(rule(100, match={"x-canary": {"exact": "true"}}), rule(75, 25))
        text = virtual_service.front("127.0.0.1:80", found, lambda service: "10.0.0." + service[1:])
        self.assertIn("use_backend rule0 if { req.hdr(x-canary) -m str true }", text)
        self.assertIn("server s0 10.0.0.0:8080 weight 75", text)
        self.assertIn("server s1 10.0.0.1:8080 weight 25", text)
        haproxy = shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin")
        if haproxy:
            with tempfile.NamedTemporaryFile("w", suffix=".cfg") as file:
                file.write(virtual_service.GLOBAL % "/tmp/none.sock" + text)
                file.flush()
                done = subprocess.run([haproxy, "-c", "-f", file.name], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)


class Ends(unittest.TestCase):
    def test_seconds_count_from_the_signal_behind_pre_stop(self):
        ends = pods.Ends()
        ends.note("a 2026-01-01T00:01:00Z 60   llm-research-api\n".split(" "))
        ends.note("a 2026-01-01T00:00:20Z 0 2026-01-01T00:00:19Z 0 llm-research-api\n".split(" "))
        ends.note("b   2026-01-01T00:00:19Z 0 llm-research-api\n".split(" "))
        self.assertEqual(ends.seconds, {"a": 4.0})
        self.assertIn("1 pods ended at most 4 s", ends.summary())


if __name__ == "__main__":
    unittest.main()
