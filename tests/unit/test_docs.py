"""What the documents tell people to type exists: commands, options, files."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from kpatch_tool.cli.reference import MARKDOWN, manual
from tests.conftest import REPO_ROOT

DOCUMENTS = [REPO_ROOT / "README.md", *sorted((REPO_ROOT / "docs").glob("*.md"))]
TYPED_IN = [one for one in DOCUMENTS if one.name not in (MARKDOWN.name, "benchmarks.md")]
KNOWN = {command.name: command for command in manual().commands}


def typed(text: str) -> list[str]:
    """The kpt commands in a document: indented lines, and `kpt ...` in the text."""
    shown = re.findall(r"^ {4,}(?:\$ )?kpt (?! )([^#\n]*)", text, re.MULTILINE)
    return shown + [" ".join(words.split()) for words in re.findall(r"`kpt ([^`]*)`", text)]


@pytest.mark.parametrize("document", TYPED_IN, ids=lambda one: one.name)
def test_commands_and_options_exist(document: Path) -> None:
    for line in typed(document.read_text()):
        words = line.replace("[", " ").replace("]", " ").replace("...", " ").split()
        words = shlex.split(line, comments=True) if "'" in line else words
        if not words or words[0].startswith("-") or words[0].isupper():
            continue
        words[0] = words[0].rstrip(",")
        name = " ".join(words[:2]) if " ".join(words[:2]) in KNOWN else words[0]
        groups = {known.split()[0] for known in KNOWN if " " in known}
        assert name in KNOWN or name in groups, f"kpt {line}"
        if name in KNOWN:
            options = {word.rstrip(",") for term in KNOWN[name].options for word in term.typed.split()} | {
                "-h",
                "--help",
            }
            for word in words[1:]:
                option = word.partition("=")[0].rstrip(",;:.)")
                assert not re.fullmatch(r"--?[a-z][a-z-]*", option) or option in options, f"kpt {line}: {option}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: one.name)
def test_files_that_are_named_exist(document: Path) -> None:
    for path in re.findall(r"\b(?:docs|tests|kpatch_tool|man)/[\w/.-]+\.(?:md|py|toml|cfg|1)\b", document.read_text()):
        assert (REPO_ROOT / path).exists(), path
