#!/usr/bin/env python3
"""Checks that a compiler does not make: who may include whom, what is banned where, what every
room must have. Run from anywhere: check.py [ROOT]; check.py --self-test proves that each rule
finds what it is for. Prints one line per finding, "file:line: [rule] what, and what is allowed",
and exits with 1 when there is any.
"""
import bisect
import dataclasses
import os
import pathlib
import re
import sys

# --- Who may include whom ------------------------------------------------------------------------
#
# Room -> what its files may include besides the room itself: a room ("base"), a shelf with all its
# rooms ("platform/"), or one header. The first key that fits a file's folder counts, so a special
# room stands before its shelf. ARCHITECTURE.md draws the picture.

ENGINE = [
    "base", "platform/telemetry", "platform/crypto", "platform/json", "domain", "science/",
    # The interfaces of providers and storage; the engine never sees a concrete class.
    "providers/provider.h", "providers/limits.h", "providers/breaker.h", "providers/retry.h",
    "providers/prices.h", "storage/store", "storage/objects",
]

# Headers that name a concrete class though they stand in a room of interfaces: for app alone.
CONCRETE = ["storage/store/sqlite.h", "storage/store/postgres.h", "storage/store/postgres_schema.h",
            "storage/objects/s3_client.h", "storage/objects/s3_store.h", "storage/cache/redis_buckets.h",
            "storage/cache/redis_signals.h", "storage/cache/redis_texts.h"]

ROOMS = {
    "base": [],
    "platform/aws": ["base", "platform/json", "platform/crypto", "platform/http"],
    "platform/config": ["base", "platform/json"],
    "platform/crypto": ["base", "platform/json"],
    "platform/data": ["base", "platform/json"],
    "platform/http": ["base", "platform/json", "platform/process"],
    "platform/json": ["base"],
    "platform/kubernetes": ["base", "platform/json", "platform/http"],
    "platform/otlp": ["base", "platform/telemetry"],
    "platform/process": ["base"],
    "platform/redis": ["base", "platform/process"],
    "platform/telemetry": ["base", "platform/json"],
    "domain": ["base", "platform/json"],
    "science": ["base", "platform/json", "domain", "science/"],
    "providers": ["base", "platform/", "domain"],
    "storage": ["base", "platform/", "domain", "storage/"],
    "engine": ENGINE,
    "report": ["base", "platform/json", "platform/crypto", "domain", "science/"],
    "service": [*ENGINE, "engine", "report", "platform/data", "storage/cache", "storage/events"],
    "api": ["base", "platform/", "domain", "report", "service"],
    "cli": ["base", "platform/", "domain", "report", "service"],
    "app": ["base", "platform/", "domain", "science/", "providers", "storage/", "engine", "report",
            "service", "api", "cli"],
}

# From the ground up. A test may also use the real things below its room.
SHELVES = ["base", "platform", "domain", "science", "providers", "storage", "engine", "report",
           "service", "api", "cli", "app"]

# Headers that are slow to compile or belong behind a wrapper -> where they may be included.
HEAVY = {
    r"boost/math/": ["src/science/stats/distributions.cpp"],
    r"boost/(asio|beast)": ["src/platform/process/", "src/platform/http/",
                            "src/platform/redis/impl/connection.cpp"],
    r"yaml-cpp/": ["src/platform/json/"],
    r"prometheus/": ["src/platform/telemetry/metrics.cpp"],
    r"spdlog/": [],
    r"toml\+\+/": ["src/platform/config/toml.cpp"],
    r"expat\.h$": ["src/platform/aws/"],
    r"CLI/": ["src/cli/"],
    r"csv\.h$": ["src/platform/data/"],
    r"sqlite3\.h$": ["src/storage/store/"],
    r"libpq": ["src/storage/store/"],
    r"curl/": ["src/platform/http/", "src/platform/otlp/sender.cpp"],
    r"openssl/": ["src/platform/crypto/", "src/platform/http/impl/server_tls.cpp"],
    r"sodium(\.h$|/)": ["src/platform/crypto/"],
    # Does not withstand forged tokens: src/platform/crypto/jwt.cpp says how.
    r"jwt/": [],
    r"(gtest|gmock)/": ["tests/", "_test.cpp", "/impl/test_"],
    r"(experimental/)?iostream$": ["src/app/", "tests/", "bench/"],
    r"regex$": [],
}

# --- What is banned where ------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Ban:
    name: str
    pattern: re.Pattern
    allowed: tuple  # path prefixes, or suffixes that begin with "_"
    instead: str


BANS = [
    Ban("thread", re.compile(r"\bstd::(thread|jthread|async)\b"),
        ("src/platform/", "tests/", "bench/", "_test.cpp"), "a Worker of platform/process"),
    Ban("wall clock", re.compile(r"\bsystem_clock::now\b"), ("src/base/",), "the injected Clock"),
    Ban("entropy", re.compile(r"\brandom_device\b"), ("src/base/",),
        "the injected Rng or UuidSource"),
    Ban("environment", re.compile(r"\b(secure_)?getenv\b"),
        ("src/platform/config/", "src/app/", "tests/", "bench/", "_test.cpp"),
        "a setting of platform/config, or what app injects"),
    Ban("std::regex", re.compile(r"\bstd::(basic_)?w?regex\b"), (), "RE2, which is linear"),
    Ban("output stream", re.compile(r"\bstd::(cout|cerr|clog)\b"), ("src/app/", "tests/", "bench/"),
        "a Result, or the console of cli"),
    Ban("detached", re.compile(r"\b(asio::detached|detach\s*\(\s*\))"), (),
        "something that owns the work and waits for it"),
]

SQL = re.compile(
    r"\b(SELECT\s|INSERT\s+(OR\s+\w+\s+)?INTO\s|DELETE\s+FROM\s|UPDATE\s+\w+\s+SET\s|WHERE\s+\w"
    r"|VALUES\s*\(|ORDER\s+BY\s|CREATE\s+(TABLE|INDEX)\s)"
)
FORMATTERS = re.compile(r"(format|format_to|sprintf|snprintf|append|StrCat)\s*\((?:[^()]|\([^()]*\))*$")

# "Not Implemented", with two capitals, is the name of HTTP status 501.
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK|[Nn]ot (yet )?implemented|[Uu]nimplemented)\b")
MACHINE_PATH = re.compile(r"(?<![A-Za-z0-9_.])/(work|farm|root)/")
# Never run, or skipped without a word.
SKIPPED = re.compile(
    r"\bDISABLED_\w|@unittest\.skip\b|\bGTEST_SKIP\(\)\s*;|\b[sS]kipTest(\(\)|\s*$)")

LINES_MAX = 700
# Made of the service's document by sdk/python/tools/fetch.py: as long as that is.
GENERATED = ("sdk/python/src/llm_research_client/models.py",
             "sdk/python/src/llm_research_client/requests.py")
README_LINES_MAX = 40

# --- Reading C++ ---------------------------------------------------------------------------------

TOKEN = re.compile(
    r"//[^\n]*"
    r"|/\*.*?\*/"
    r'|(?:u8|[uUL])?R"(?P<delimiter>[^()\\\s]{0,16})\(.*?\)(?P=delimiter)"'
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|(?<![0-9a-fA-F])'(?:[^'\\\n]|\\.)+'",
    re.DOTALL,
)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)


@dataclasses.dataclass
class Cpp:
    code: str  # comments and the insides of literals are blanks; offsets are those of the file
    literals: list  # (begin, end, text) of string literals
    line_starts: list

    def line(self, offset):
        return bisect.bisect_right(self.line_starts, offset)


def read_cpp(text):
    code, literals, last = [], [], 0
    for token in TOKEN.finditer(text):
        code.append(text[last:token.start()])
        word = token.group()
        blank = re.sub(r"[^\n]", " ", word)
        if word[0] != "/":
            if '"' in (word[0], word[-1]):
                literals.append((token.start(), token.end(), word))
                blank = '"' + blank[1:-1] + '"'
        code.append(blank)
        last = token.end()
    code.append(text[last:])
    starts = [0] + [i + 1 for i, c in enumerate(text) if c == "\n"]
    return Cpp("".join(code), literals, starts)


# --- The rules -----------------------------------------------------------------------------------


class Checker:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.findings = []
        self.files = sorted(self._walk())

    def _walk(self):
        skip = {".git", "build", ".venv", "node_modules", "__pycache__"}
        for folder, folders, files in os.walk(self.root):
            folders[:] = [f for f in folders if f not in skip]
            for file in files:
                yield (pathlib.Path(folder) / file).relative_to(self.root).as_posix()

    def find(self, path, line, rule, words):
        self.findings.append(f"{path}:{line}: [{rule}] {words}")

    def run(self):
        for path in self.files:
            if path.endswith((".cpp", ".h")) and path.startswith(("src/", "tests/", "bench/")):
                text = (self.root / path).read_text(encoding="utf-8")
                cpp = read_cpp(text)
                self.check_includes(path, text, cpp)
                self.check_bans(path, cpp)
                self.check_sql(path, cpp)
            self.check_text(path)
        self.check_rooms()
        self.check_orphans()
        return self.findings

    # Includes.

    def check_includes(self, path, text, cpp):
        for include in INCLUDE.finditer(text):
            # A line of a comment or of a raw string is no include.
            if not cpp.code[include.start():include.end()].lstrip().startswith("#"):
                continue
            quoted, name = include.group(1) == '"', include.group(2)
            line = cpp.line(include.start())
            self.check_heavy(path, line, name)
            if path.startswith("src/"):
                self.check_arrow(path, line, name, quoted)

    def check_heavy(self, path, line, name):
        for pattern, places in HEAVY.items():
            if re.match(pattern, name) and not is_in(path, places):
                allowed = ", ".join(places) or "nowhere"
                self.find(path, line, "heavy header", f"<{name}> may be included in: {allowed}")

    def check_arrow(self, path, line, name, quoted):
        shelf = name.split("/")[0]
        if not quoted:
            if "/" in name and shelf in SHELVES:
                self.find(path, line, "include", f"<{name}> is ours: use quotes")
            return
        # Tests, and what tests of a room share: impl/test_*.h.
        test = path.endswith("_test.cpp") or "/impl/test_" in path
        if test and shelf == "support":
            return
        if shelf not in SHELVES:
            self.find(path, line, "include",
                      f'"{name}": the path of an include starts at src/, with one of: '
                      + ", ".join(SHELVES))
            return
        here = path.removeprefix("src/").rpartition("/")[0].split("/impl")[0]
        there = name.rpartition("/")[0]
        shared = test and name.rpartition("/")[2].startswith("test_")
        if "/impl" in there and here != there.split("/impl")[0] and not shared:
            self.find(path, line, "include", f'"{name}" is private to {there.split("/impl")[0]}')
            return
        room = next((r for r in ROOMS if here == r or here.startswith(r + "/")), None)
        if room is None:
            self.find(path, line, "include",
                      f"{here} is not a room: ROOMS in tools/check.py lists them")
            return
        if there == room or there.startswith(room + "/"):
            return
        allowed = ROOMS[room]
        if name in CONCRETE and room != "app" and not test:
            self.find(path, line, "include", f'"{name}" names a concrete class: only app may')
            return
        if any(fits(entry, name) for entry in allowed):
            return
        if test and SHELVES.index(shelf) < SHELVES.index(room.split("/")[0]):
            return
        self.find(path, line, "include",
                  f'"{name}": {room} may include: {", ".join(allowed) or "nothing of ours"}')

    # Words in code.

    def check_bans(self, path, cpp):
        for ban in BANS:
            if is_in(path, ban.allowed):
                continue
            for hit in ban.pattern.finditer(cpp.code):
                self.find(path, cpp.line(hit.start()), ban.name,
                          f"{hit.group()} is not for this place: use {ban.instead}")

    def check_sql(self, path, cpp):
        if not path.startswith("src/"):
            return
        for begin, end, text in cpp.literals:
            if not SQL.search(text):
                continue
            before = cpp.code[max(0, begin - 300):begin]
            # Literals that stand side by side are one literal.
            after = re.sub(r'^(\s*"\s*")+', "", cpp.code[end:end + 300]).lstrip()
            before = re.sub(r'("\s*"\s*)+$', "", before).rstrip()
            built = (after.startswith("+") or before.endswith(("+", "+=", "<<"))
                     or after.startswith("<<") or FORMATTERS.search(before))
            # A copy of a store takes every table as the database itself describes it.
            if built and path != "src/storage/store/table_pages.cpp":
                self.find(path, cpp.line(begin), "built SQL",
                          "a statement is a constant with $1 parameters, never put together")

    def check_text(self, path):
        if path.startswith(("examples/", "tests/vectors/", "tests/data/")) and not path.endswith(
                (".md", ".yaml")):
            return
        # The tables above, and the planted mistakes of the test, name what they ban.
        if path in ("tools/check.py", "tools/check_test.py", "LICENSE"):
            return
        try:
            lines = (self.root / path).read_text(encoding="utf-8").split("\n")
        except (UnicodeDecodeError, OSError):
            return
        made = path.startswith(GENERATED)
        if path.endswith((".cpp", ".h", ".py", ".sh", ".go")) and len(lines) - 1 > LINES_MAX \
                and not made:
            self.find(path, len(lines) - 1, "length",
                      f"{len(lines) - 1} lines; at most {LINES_MAX}: this is two files")
        for number, line in enumerate(lines, 1):
            for hit in UNFINISHED.finditer(line):
                self.find(path, number, "unfinished",
                          f'"{hit.group()}": finish it or leave it out')
            if hit := MACHINE_PATH.search(line):
                self.find(path, number, "machine path",
                          f'"{hit.group()}..." exists on one machine only')
            if hit := SKIPPED.search(line):
                self.find(path, number, "skipped test",
                          f'"{hit.group()}": a test runs, or says what this machine lacks')

    # What rooms must have.

    def check_rooms(self):
        rooms = set()
        for path in self.files:
            if path.startswith("src/") and path.endswith((".cpp", ".h")):
                folder = path.rpartition("/")[0]
                # A folder without a CMakeLists.txt is part of the room above.
                while folder != "src" and not (self.root / folder / "CMakeLists.txt").is_file():
                    folder = folder.rpartition("/")[0]
                rooms.add(folder)
        for room in sorted(rooms - {"src"}):
            readme = self.root / room / "README.md"
            above = readme.parent.parent / "README.md"
            if not readme.is_file() and room.count("/") == 2 and above.is_file():
                continue  # a shelf may speak for its small rooms
            if not readme.is_file():
                self.find(f"{room}/README.md", 1, "readme",
                          "every room says what it is for, its main types, what does not belong "
                          "here, its law")
                continue
            lines = readme.read_text(encoding="utf-8").count("\n")
            if lines > README_LINES_MAX:
                self.find(f"{room}/README.md", lines, "readme",
                          f"{lines} lines; at most {README_LINES_MAX}")

    def check_orphans(self):
        lists = {}
        for path in self.files:
            if not path.endswith(".cpp") or not path.startswith(("src/", "tests/", "bench/")):
                continue
            folder = path.rpartition("/")[0]
            while folder and not (self.root / folder / "CMakeLists.txt").is_file():
                folder = folder.rpartition("/")[0]
            if not folder:
                self.find(path, 1, "orphan", "no CMakeLists.txt above it builds it")
                continue
            if folder not in lists:
                text = (self.root / folder / "CMakeLists.txt").read_text(encoding="utf-8")
                lists[folder] = set(re.findall(r"[^\s()\"]+", re.sub(r"#.*", "", text)))
            name = path.removeprefix(folder + "/")
            if name not in lists[folder] and not any(w.endswith("/" + path) for w in lists[folder]):
                self.find(path, 1, "orphan", f"{folder}/CMakeLists.txt does not list {name}")


def fits(entry, name):
    """Whether an include is what an entry of ROOMS allows."""
    if entry.endswith(".h"):
        return name == entry
    if entry.endswith("/"):
        return name.startswith(entry)
    return name.rpartition("/")[0] == entry


def is_in(path, places):
    """Whether a path is one of the places: a prefix, a suffix ("_..."), or a part ("/...")."""
    return any(path.endswith(p) if p[0] == "_" else p in path if p[0] == "/"
               else path.startswith(p) for p in places)


def main(arguments):
    root = pathlib.Path(__file__).resolve().parent.parent
    if arguments == ["--self-test"]:
        import unittest
        sys.path.insert(0, str(root))
        return not unittest.main("tools.check_test", argv=["check.py"], exit=False).result \
            .wasSuccessful()
    if len(arguments) > 1 or (arguments and arguments[0].startswith("-")):
        print(__doc__, file=sys.stderr)
        return 2
    checker = Checker(arguments[0] if arguments else root)
    findings = checker.run()
    for finding in findings:
        print(finding)
    print(f"check: {len(checker.files)} files, {len(findings)} findings",
          file=sys.stderr if findings else sys.stdout)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
