"""Repositories made of plain data, quickly: one `git fast-import` stream for any shape of history; single commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import git

START = 1_400_000_000  # the first commit's date; each later one is a minute younger


@dataclass(frozen=True, slots=True)
class Made:
    """A commit to make: the numbers (from 0) of its parents, and all its files (path -> text)."""

    parents: tuple[int, ...]
    files: Mapping[str, str]


def repository(where: Path, commits: Sequence[Made], refs: Mapping[str, int]) -> list[str]:
    """Make the bare repository `where` with `commits` and `refs` (full name -> number); returns their ids."""
    git("init", "-q", "--bare", where, cwd=where.parent)
    out: list[bytes] = []
    for number, one in enumerate(commits, 1):
        who = f"A <a@example.org> {START + 60 * number} +0000"
        out.append(f"commit refs/made/{number}\nmark :{number}\ncommitter {who}\ndata 1\nx\n".encode())
        for at, parent in enumerate(one.parents):
            out.append(f"{'merge' if at else 'from'} :{parent + 1}\n".encode())
        out.append(b"deleteall\n")
        for path, text in one.files.items():
            data = text.encode()
            out.append(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data))
    marks = where / "marks"
    git("fast-import", "--quiet", f"--export-marks={marks}", cwd=where, stdin=b"".join(out))
    ids = dict(line.split(" ") for line in marks.read_text().splitlines())
    made = [ids[f":{number}"] for number in range(1, len(commits) + 1)]
    update = "".join(f"create {name} {made[number]}\n" for name, number in refs.items())
    update += "".join(f"delete refs/made/{number}\n" for number in range(1, len(commits) + 1))
    git("update-ref", "--stdin", cwd=where, stdin=update.encode())
    return made


def change(repo: Path, path: str, old: str, new: str, subject: str) -> None:
    """One commit in the work tree `repo` that replaces `old` by `new` in `path`."""
    text = (repo / path).read_text()
    assert old in text
    (repo / path).write_text(text.replace(old, new, 1))
    git("commit", "-qam", subject, cwd=repo)


def patches(repo: Path, where: Path, span: str = "main..work") -> Path:
    """The commits `span` of `repo` as `git format-patch` writes them, in the directory `where`."""
    git("format-patch", "-q", "-o", where, span, cwd=repo)
    return where
