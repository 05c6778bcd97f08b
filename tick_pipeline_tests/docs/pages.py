"""What the pages of this repository say: their blocks, spans, links, commands and names."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_OURS = "tick-pipeline"


@dataclass(frozen=True)
class Page:
    """One Markdown file: its path, and its text with and without the fenced blocks."""

    path: Path
    text: str

    @property
    def prose(self) -> str:
        """The text outside of the fenced blocks."""
        return _BLOCK.sub("", self.text)

    @property
    def spans(self) -> list[str]:
        """What stands in backticks, outside of blocks, on one line each."""
        return [" ".join(span.split()) for span in _SPAN.findall(self.prose)]

    @property
    def links(self) -> list[str]:
        """Targets of links and images that lie in this repository."""
        return [target for target in _LINK.findall(self.prose) if "://" not in target]

    @property
    def headings(self) -> set[str]:
        """The anchors of its headings, as GitHub makes them."""
        titles: list[str] = re.findall(r"^#+ (.*)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}

    def blocks(self, language: str) -> list[str]:
        """The fenced blocks of a language."""
        return [text for found, text in _BLOCK.findall(self.text) if found == language]

    @property
    def commands(self) -> list[list[str]]:
        """Every command line, of blocks and of spans, as words; comments are left out."""
        lines = [
            line
            for language in ("", "sh")
            for block in self.blocks(language)
            for line in block.splitlines()
        ]
        words = (
            shlex.split(line, comments=True) for line in (*lines, *self.spans) if _is_command(line)
        )
        return list(words)

    def of_program(self, program: str) -> list[list[str]]:
        """The arguments of every command of one program."""
        return [words[1:] for words in self.commands if Path(words[0]).name == program]


def _is_command(line: str) -> bool:
    program = Path(line.split(" ", maxsplit=1)[0]).name
    return " " in line.strip() and program in (_OURS, "make")


def page(path: Path) -> Page:
    """One page, read."""
    return Page(path, path.read_text(encoding="utf-8"))


def pages() -> list[Page]:
    """README, CONTRIBUTING and all of docs/."""
    return [page(path) for path in PAGES]
