#!/usr/bin/env python3
"""Makes src/llm_research_client/_sync of _async, so that both clients are one text.

Usage: generate_sync.py [OUTPUT]     (default: the folder of the package)
"""

import pathlib
import re
import sys
from collections.abc import Callable

HERE = pathlib.Path(__file__).resolve().parent.parent / "src/llm_research_client"
WORDS: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
    (r"\bfrom contextlib import asynccontextmanager\b", "from contextlib import contextmanager"),
    (r"@asynccontextmanager\b", "@contextmanager"),
    (r"\bimport asyncio\n", "import threading\n"),
    (r"asyncio\.Lock\b", "threading.Lock"),
    (r"asyncio\.sleep\b", "time.sleep"),
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAsyncIterator, Iterable\b", "Iterable, Iterator"),
    (r"\bAsyncIterator\b", "Iterator"),
    (r"httpx\.AsyncBaseTransport", "httpx.BaseTransport"),
    (r"httpx\.AsyncClient", "httpx.Client"),
    (r"__(aenter|aexit)__", lambda hit: "__" + hit.group(1)[1:] + "__"),
    (r"\baiter_(lines|bytes)\b", r"iter_\1"),
    (r"\b(aclose|aread)\b", lambda hit: hit.group(1)[1:]),
    (r"\bAsync(?=[A-Z])", ""),
    (r"by many tasks at once", "by many threads at once"),
    (
        r"The asynchronous client, of which tools/generate_sync.py makes the other.",
        "The synchronous client. Made of _async by tools/generate_sync.py: not edited by hand.",
    ),
]


def main(arguments: list[str]) -> int:
    output = pathlib.Path(arguments[0]) if arguments else HERE / "_sync"
    output.mkdir(exist_ok=True)
    for source in sorted((HERE / "_async").glob("*.py")):
        text = source.read_text(encoding="utf-8")
        for pattern, replacement in WORDS:
            text = re.sub(pattern, replacement, text)
        # threading is needed where there is a lock only
        if "threading." not in text:
            text = text.replace("import threading\n", "")
        if "import threading\nimport time\n" not in text and "import threading\nimport os\n" in text:
            text = text.replace("import threading\nimport os\n", "import os\nimport threading\n")
        (output / source.name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
