"""kpt import"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from kpatch_tool.cli import common
from kpatch_tool.mail.elsewhere import Elsewhere
from kpatch_tool.mail.read import read_sources
from kpatch_tool.series import listing, store, view
from kpatch_tool.series.assemble import assemble
from kpatch_tool.series.attesting import attested


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
        float, typer.Option("--timeout", metavar="S", min=1, help="Seconds a thread on the network may take.")
    ] = 120,
    attest: Annotated[
        bool, typer.Option("--attest/--no-attest", help="Check the mails' signatures (asks DNS, 5 s at most).")
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Replace a series of that name.")] = False,
    as_json: common.JsonOption = False,
) -> None:
    """Read a thread into series/NAME: patches in order, cover, replies, and the source as received."""
    workspace = common.here()
    if name:
        store.check_name(name)
    with common.progress() as say:
        if git is None and listing.is_large(sources):
            received, pick = listing.receive(workspace.cache, sources, pick=pick, revision=revision, progress=say)
        else:
            elsewhere = Elsewhere(workspace, timeout, git)
            received = read_sources(sources, fetch=elsewhere, fetched_only=git is not None, say=say)
    series = assemble(
        received.messages,
        where=", ".join(sources),
        name=name,
        revision=revision,
        pick=pick,
        in_order=received.patch_files,
        sloppy=sloppy,
    )
    if attest:
        series = attested(series, received.files)
    directory, written = store.save(
        workspace,
        replace(series, tree=tree, problems=(*series.problems, *received.notes)),
        received,
        force=force,
        revision=revision,
        sloppy=sloppy,
        pick=pick,
    )
    loaded = store.load(directory)
    if as_json:
        common.emit_json({**view.document(loaded), "path": str(directory), "written": written})
        return
    for line in view.imported(loaded, directory, written=written):
        typer.echo(line)
