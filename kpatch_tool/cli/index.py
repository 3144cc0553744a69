"""kpt index"""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from kpatch_tool import workspace
from kpatch_tool.cli import common, streams
from kpatch_tool.text import printable

_AT_ONCE = 200  # lines that are written together

_Day = Annotated[
    datetime | None, typer.Option("--since", metavar="DATE", formats=["%Y-%m-%d"], help="Sent from then on.")
]
_LastDay = Annotated[
    datetime | None, typer.Option("--until", metavar="DATE", formats=["%Y-%m-%d"], help="Sent till then.")
]


def command(
    sources: Annotated[list[str], typer.Argument(metavar="MBOX...", help="mbox (also .gz, .xz) or Maildir.")],
    *,
    author: Annotated[str, typer.Option("--author", metavar="TEXT", help="A part of the name or address.")] = "",
    subject: Annotated[str, typer.Option("--subject", metavar="TEXT", help="A part of the title.")] = "",
    since: _Day = None,
    until: _LastDay = None,
    as_json: common.JsonOption = False,
) -> None:
    """List the series in large mailboxes, oldest first; what is read once is remembered."""
    from kpatch_tool.report import mailbox
    from kpatch_tool.series.mailboxes import listing

    here = workspace.around(Path.cwd())
    cache = here.cache if here else None
    wanted = listing.Wanted(author, subject, since.date() if since else None, until.date() if until else None)
    with common.progress() as progress, listing.opened(cache, sources, progress) as box:
        for line in box.not_mail:
            streams.say(f"{printable(line)}\n")
        if as_json:
            common.emit_pieces(mailbox.document(box.postings(wanted), box.messages))
            return
        lines = mailbox.lines(box.postings(wanted), box.messages)
        while some := "\n".join(islice(lines, _AT_ONCE)):
            typer.echo(some)
