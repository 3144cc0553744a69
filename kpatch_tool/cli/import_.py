"""kpt import"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpatch_tool.cli import common
from kpatch_tool.series import importing
from kpatch_tool.series.views import view


def command(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="mbox, patch, archive page, Maildir, directory; URL or message-id; A..B of git; - for stdin.",
        ),
    ],
    *,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Its name below series/; else made of the title.")
    ] = "",
    revision: Annotated[int | None, typer.Option("--revision", metavar="K", help="Take vK; else the latest.")] = None,
    pick: Annotated[
        str,
        typer.Option("--series", metavar="S", help="Of several series: a number, part of the title, or message-id."),
    ] = "",
    tree: Annotated[
        str | None, typer.Option("--tree", metavar="NAME", help="The tree the series is meant for.")
    ] = None,
    sloppy: Annotated[
        bool, typer.Option("--sloppy", "-S", help="Take trailers whose address is not their sender's.")
    ] = False,
    git: Annotated[
        Path | None, typer.Option("--git", metavar="PATH", help="The sources are commits (A..B, REV) of this clone.")
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout",
            metavar="S",
            min=1,
            max=86400,
            callback=common.bounded_seconds,
            help="Seconds a thread on the network may take.",
        ),
    ] = 120,
    attest: Annotated[
        bool, typer.Option("--attest/--no-attest", help="Check the mails' signatures (asks DNS, 5 s at most).")
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Replace a series of that name.")] = False,
    as_json: common.JsonOption = False,
) -> None:
    """Read a thread into series/NAME: patches in order, cover, replies, and the source as received."""
    request = importing.Request(
        tuple(sources), name, revision, pick, tree, git, timeout, sloppy=sloppy, attest=attest, force=force
    )
    with common.progress() as progress:
        done = importing.import_request(common.here(), request, progress)
    if as_json:
        common.emit_json({**view.document(done.series), "path": str(done.directory), "written": done.written})
        return
    for line in view.imported(done.series, done.directory, written=done.written):
        typer.echo(line)
