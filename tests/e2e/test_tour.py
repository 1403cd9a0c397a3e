"""The tours of examples/service, as a new user takes them: what they print is what the published
example says."""
import json
import os
import pathlib
import re
import subprocess

import support

TOURS = support.ROOT / "examples/service"
EXPECTED = json.loads((support.ROOT / "examples/gsm8k/expected.json").read_text())


class Tours(support.LabTest):
    def take(self, name, **env):
        """What a tour prints; its folder is the test's."""
        done = subprocess.run(
            [TOURS / name, self.folder / "out"],
            env={**os.environ, "LLM_RESEARCH": str(support.BINARY), "TMPDIR": str(self.folder), **env},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def check_figures(self, printed):
        """The accuracies of the two models on all rows are the published ones."""
        for model in ("175b_finetuning", "175b_verification"):
            found = re.search(rf"^{model}(?:/question)?: ([0-9.]+) \[", printed, re.MULTILINE)
            self.assertIsNotNone(found, printed)
            self.assertAlmostEqual(float(found[1]), EXPECTED["per_model"][model]["accuracy"], places=9)

    def test_curl(self):
        printed = self.take("tour-curl.sh")
        self.check_figures(printed)
        page = pathlib.Path(self.folder / "out" / "gsm8k.html").read_text()
        self.assertIn("<!doctype html>", page.lower())
        self.assertIn("175b_verification", page)

    def test_command_line(self):
        printed = self.take("tour-cli.sh")
        self.check_figures(printed)
        self.assertIn("175b_verification", printed)
        self.assertIn("<!doctype html>", (self.folder / "out" / "gsm8k.html").read_text().lower())
