"""Real `git format-patch` mails shown as every archive shows them, read back, restored and compared: for the tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.archive_shapes import SHAPES
from benchmarks.restore_pages import Tally, intact, mail_of, measure
from kpatch_tool.mail.read import read_sources
from tests.conftest import git

Change = Mapping[str, bytes | None]  # path -> the file after the change, None where it goes


def commit(repository: Path, change: Change, subject: str) -> None:
    """One commit that gives these files these contents."""
    for name, content in change.items():
        path = repository / name
        if content is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    git("add", "-Af", "--", *change, cwd=repository)
    git("commit", "-qm", f"{subject}\n\nSo it is.", cwd=repository)


def tallies(repository: Path, base: str, read: Callable[[str], bytes | None], scratch: Path) -> dict[str, Tally]:
    """What became of the commits `base`..HEAD in every shape; `read` gives the files of `base`."""
    mbox = scratch / "series.mbox"
    mbox.write_text(
        git(
            "-c",
            "core.abbrev=12",
            "format-patch",
            "--stdout",
            "--cover-letter",
            "--signoff",
            "--thread",
            f"{base}..HEAD",
            cwd=repository,
        )
        + "\n",
        encoding="utf-8",
        errors="surrogateescape",
    )
    messages = read_sources([str(mbox)]).messages
    mails = [mail_of(message) for message in messages]
    (series,) = intact(messages, str(mbox))
    out: dict[str, Tally] = {}
    for shape in SHAPES:
        measure(series, mails, shape, read, out.setdefault(shape.name, Tally()))
    return out
