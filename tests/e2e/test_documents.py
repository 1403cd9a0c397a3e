"""The operators' documents: what they tell somebody to run can be run. Every block of docs/operations is taken from the
text: shell is parsed, commands and options of the program and of our scripts exist, paths are routes, metrics are
exposed, SQL is answered by a real PostgreSQL. What needs a cluster is rehearsed elsewhere."""
import functools
import pathlib
import re
import shlex
import subprocess
import unittest

import support
import test_migrate
import test_postgres
import test_serve

FOLDER = support.ROOT / "docs" / "operations"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Where a command can begin.
STARTS = re.compile(r"(?:^|\|\||&&|[|;]|\$\(|(?<= )-- )\s*(?:\w+=\S* )*", re.MULTILINE)
PATH = re.compile(r"https?://[^/\s\"'$]+(/[\w/{}.-]*)|`(?:GET|POST|PUT|PATCH|DELETE) (/[\w/{}.-]*)`")
METRIC = re.compile(r"\b([a-z]+(?:_[a-z]+)+)\b(?=\{|\[|\s|\)|/|$)")
PROMQL_WORDS = {"histogram_quantile"}


def blocks(*languages):
    """(file, text) of every block."""
    for path in sorted(FOLDER.glob("*.md")):
        for language, text in BLOCK.findall(path.read_text(encoding="utf-8")):
            if language in languages:
                yield path.name, text


def commands(name, text):
    """The words of every command `name` of a block: options and arguments behind it."""
    joined = re.sub(r"\\\n\s*", " ", text)
    for start in STARTS.finditer(joined):
        rest = joined[start.end():]
        if re.match(re.escape(name) + r"(?=\s|$)", rest):
            line = re.split(r"\n|\||&&|;|\)\s*$|\)\n| < | > |#", rest, maxsplit=1)[0]
            yield shlex.split(line)[1:]


def link_targets():
    for path in sorted([*FOLDER.glob("*.md"), support.ROOT / "README.md", support.ROOT / "CHANGELOG.md"]):
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            if "://" not in target:
                yield path, target


class Blocks(support.LabTest):
    @functools.cache
    def help(self, words):
        done = self.home.run(*words, "--help")
        self.assert_code(done, support.PASSED)
        return done.out

    def test_there_are_some(self):
        found = {name for name, _ in blocks("bash", "sql", "promql")}
        for page in ("deployment-runbook", "rollback", "incident-response", "troubleshooting", "service-levels",
                     "disaster-recovery", "capacity-planning", "upgrade-guide", "security-hardening"):
            self.assertIn(f"{page}.md", found)

    def test_shell_can_be_parsed(self):
        for name, text in blocks("bash"):
            with self.subTest(page=name, text=text):
                done = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_links_lead_somewhere(self):
        for path, target in link_targets():
            self.assertTrue((path.parent / target).exists(), f"{path.name}: {target}")

    def test_commands_of_the_program_have_the_options_they_are_given(self):
        seen = 0
        for name, text in blocks("bash"):
            for words in commands("llm-research", text):
                seen += 1
                with self.subTest(page=name, words=words):
                    until = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
                    known = self.deepest(tuple(words[:until]))
                    text_of_help = self.help(known)
                    for word in words[until:]:
                        if word.startswith("-") and word != "--help":
                            self.assertRegex(text_of_help, rf"(?<![\w-]){re.escape(word.split('=')[0])}(?![\w-])")
        self.assertGreater(seen, 10)

    def deepest(self, words):
        """As many of the words as are commands; there is at least one."""
        self.assertTrue(words)
        path = ()
        for word in words:
            if not re.search(rf"(?m)^  {re.escape(word)}(?: |$)", self.help(path)):
                break
            path += (word,)
        self.assertTrue(path, f"{words[0]} is no command")
        return path

    def test_scripts_exist_and_have_the_options_they_are_given(self):
        seen = set()
        for name, text in blocks("bash"):
            for script in set(re.findall(r"deploy/scripts/[\w-]+\.sh", text)):
                seen.add(script)
                with self.subTest(page=name, script=script):
                    self.assertTrue((support.ROOT / script).exists())
                    told = subprocess.run(["bash", str(support.ROOT / script), "--help"], text=True,
                                          capture_output=True, timeout=20)
                    self.assertEqual(told.returncode, 0, told.stderr)
                    for words in commands(script, text):
                        for option in (word for word in words if word.startswith("--")):
                            self.assertIn(option, told.stdout)
        self.assertGreater(len(seen), 8)

    def test_files_that_are_named_exist(self):
        for path in sorted(FOLDER.glob("*.md")):
            text = path.read_text(encoding="utf-8")
            for named in re.findall(r"(?<![\w/])((?:src|tests|deploy)/[\w./-]+\w)", text):
                self.assertTrue((support.ROOT / named).exists(), f"{path.name}: {named}")

    def test_the_checklist_has_every_number_once(self):
        rows = re.findall(r"(?m)^\| ((?:R\d+(?:, )?)+) \|", (FOLDER / "checklist.md").read_text(encoding="utf-8"))
        numbers = [int(number) for row in rows for number in re.findall(r"\d+", row)]
        self.assertEqual(numbers, list(range(1, 93)))


class Served(test_serve.ServeTest):
    def test_paths_are_routes_and_metrics_are_exposed(self):
        server = self.server()
        routes = {re.sub(r"\{\w+\}", "{}", path) for path in server.call("GET", "/openapi.json")[2]["paths"]}
        exposed = set(re.findall(r"(?m)^# TYPE (\w+) ", server.call("GET", "/metrics")[2]))
        for path in sorted(FOLDER.glob("*.md")):
            text = path.read_text(encoding="utf-8")
            for groups in PATH.findall(text):
                named = re.sub(r"\{\w+\}", "{}", next(filter(None, groups), "/")).rstrip("/.")
                if named and "localhost:9090" not in named and not named.startswith("/api/v1/query"):
                    self.assertIn(named, routes | {"/metrics"}, path.name)
        for name, text in blocks("promql"):
            for metric in METRIC.findall(re.sub(r"\{[^}]*\}", "{}", text)):
                family = re.sub(r"_(bucket|count|sum)$", "", metric)
                if metric not in PROMQL_WORDS:
                    self.assertIn(family, exposed, name)


class Sql(test_postgres.OnPostgres, test_serve.ServeTest):
    def test_statements_are_answered(self):
        self.server()
        for name, text in blocks("sql"):
            with self.subTest(page=name, text=text):
                done = subprocess.run(["psql", self.url, "-X", "-v", "ON_ERROR_STOP=1"], input=text, text=True,
                                      capture_output=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(test_migrate.sql(self.url, "SELECT 1"), "1")


if __name__ == "__main__":
    unittest.main()
