"""The fenced blocks of a runbook, as its text has them."""
import dataclasses
import hashlib
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GIVEN = ROOT.parent / "shared" / "reference" / "deployment-runbook.md"
OURS = ROOT / "docs" / "operations" / "deployment-runbook.md"


@dataclasses.dataclass(frozen=True)
class Block:
    number: int
    heading: str  # the nearest one above
    language: str
    text: str
    note: str = ""  # <!-- rehearsal: NOTE --> in the line above it

    @property
    def key(self):
        """Heading and a hash of the text: a change of either is drift."""
        return f"{self.heading} {hashlib.sha256(self.text.encode()).hexdigest()[:8]}"

    @property
    def file_name(self):
        """What the block calls itself in its first comment; None when it has none."""
        found = re.match(r"(?:#!.*\n)?# ([\w./-]+\.(?:sh|yaml|json))\n", self.text)
        return found.group(1) if found else None


def read(text):
    """All blocks, in order. A fence that is not closed is an error of the text."""
    blocks, heading, lines, language, note = [], "", None, "", ""
    for line in text.splitlines():
        fence = re.match(r"```(\w*)\s*$", line)
        if lines is not None:
            if fence and not fence.group(1):
                blocks.append(Block(len(blocks) + 1, heading, language, "".join(f"{one}\n" for one in lines), note))
                lines, note = None, ""
            else:
                lines.append(line)
        elif fence:
            lines, language = [], fence.group(1)
        elif found := re.match(r"#+ (.+)$", line):
            heading = found.group(1)
        elif found := re.match(r"<!-- rehearsal: (.+) -->$", line):
            note = found.group(1)
    if lines is not None:
        raise ValueError(f"the block under '{heading}' is not closed")
    return blocks


def drift(blocks, known):
    """What the text and a mapping (by key) disagree on; empty when nothing."""
    have = {block.key for block in blocks}
    return [f"a block that no mapping knows: {block.key!r}" for block in blocks if block.key not in known] \
        + [f"a mapping whose block is gone or has changed: {key!r}" for key in known if key not in have]
