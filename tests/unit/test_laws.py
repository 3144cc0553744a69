"""Laws that hold for any texts. Another stands beside what it is about: what is proven is what the author wrote
(test_restore, test_repair)."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kpatch_tool.diff.apply import Applied, apply_file
from kpatch_tool.diff.model import FileDiff, reversed_diff
from kpatch_tool.diff.parse import parse_diff
from kpatch_tool.diff.printer import format_diff
from tests.diff_texts import difference, joined, pairs

NAMES = st.sampled_from(["f.c", "a b", "d\u00e9", 'q"uote', "mm/f.c", "t\tab", "nul"])
ENDS = st.sampled_from([b"", b"no newline", b"\r\n", b"\0\1\2"])


def applied(text: bytes | None, file: FileDiff) -> bytes | None:
    done = apply_file(text, file, fuzz=0)
    assert isinstance(done, Applied), done
    return done.post


@settings(max_examples=150, deadline=None)
@given(pairs(), st.integers(1, 3))
def test_applied_and_taken_back_is_the_base(texts: tuple[list[bytes], list[bytes]], context: int) -> None:
    before, after = map(joined, texts)
    file = difference(*texts, context=context)
    (back,) = reversed_diff([file])
    assert applied(before, file) == after
    assert applied(after, back) == before
    assert reversed_diff(reversed_diff([file])) == (file,)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(NAMES, pairs(), ENDS, ENDS, st.booleans()), min_size=1, max_size=3, unique_by=lambda t: t[0]))
def test_what_git_writes_is_printed_as_it_was(
    tmp_path: Path, files: list[tuple[str, tuple[list[bytes], list[bytes]], bytes, bytes, bool]]
) -> None:
    """Read and printed, git's own diff is the same bytes; applied, it is git's own result; taken back, the base."""
    wanted: dict[str, tuple[bytes, bytes]] = {}
    trees = []
    for which in (0, 1):
        lines = []
        for name, texts, *ends, run in files:
            data = joined(texts[which]) + ends[which]
            wanted[name] = (data, b"") if not which else (wanted[name][0], data)
            oid = git("hash-object", "-w", "--stdin", cwd=tmp_path, stdin=data).decode().strip()
            lines.append(f"{'100755' if run and which else '100644'} {oid}\t{name}\0")
        git("read-tree", "--empty", cwd=tmp_path)
        git("update-index", "-z", "--index-info", cwd=tmp_path, stdin="".join(lines).encode())
        trees.append(git("write-tree", cwd=tmp_path).decode().strip())
    text = git("diff", "--binary", "--no-renames", "--full-index", *trees, cwd=tmp_path)
    read = parse_diff(text)
    assert format_diff(read) == text
    for file in read:
        before, after = wanted[file.path]
        assert applied(before, file) == after
        (back,) = reversed_diff([file])
        assert applied(after, back) == before


def git(*words: str, cwd: Path, stdin: bytes = b"") -> bytes:
    if not (cwd / ".git").exists():
        subprocess.run(["git", "init", "-q"], cwd=cwd, check=True)
    return subprocess.run(["git", *words], cwd=cwd, input=stdin, capture_output=True, check=True).stdout
