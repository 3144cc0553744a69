"""kpt results: the list itself, show, prune"""

from __future__ import annotations

from typing import Annotated

import typer

from kpatch_tool.cli import common
from kpatch_tool.errors import InputError
from kpatch_tool.results.kept import Kind, Status

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def list_results(
    context: typer.Context,
    *,
    kind: Annotated[Kind | None, typer.Option("--kind", help="Only builds, tests, runs or saved guests.")] = None,
    tree: Annotated[
        str | None, typer.Option("--tree", metavar="NAME|ID", help="Of this kernel tree, or git tree id.")
    ] = None,
    series: Annotated[str | None, typer.Option("--series", metavar="S", help="Of states of this series.")] = None,
    patch: Annotated[int | None, typer.Option("--patch", metavar="K", help="Of the state after patch K.")] = None,
    suite: Annotated[str | None, typer.Option("--suite", metavar="NAME", help="Of this suite.")] = None,
    status: Annotated[Status | None, typer.Option("--status", help="With this verdict.")] = None,
    as_json: common.JsonOption = False,
) -> None:
    """What is kept of builds, tests, runs and guests, used last first: kind, id, status, age, size, what of, states."""
    if context.invoked_subcommand is not None:
        if as_json or any(value is not None for value in (kind, tree, series, patch, suite, status)):
            what = f"the options before {context.invoked_subcommand} are those of the list"
            raise InputError(what, where="results", todo=f"see `kpt results {context.invoked_subcommand} -h`")
        return
    from kpatch_tool.report import kept as show
    from kpatch_tool.results.kept import Filter, disk_use, kept, places

    workspace = common.here()
    found = kept(workspace, Filter(kind, tree, series, patch, suite, status))
    on_disk = disk_use(places(workspace))
    if as_json:
        common.emit_json(show.list_document(found, on_disk))
    else:
        typer.echo(show.list_text(found, on_disk))


@app.command("show")
def show_one(
    name: Annotated[str, typer.Argument(metavar="ID", help="As `kpt results` lists it, or its beginning.")],
    as_json: common.JsonOption = False,
) -> None:
    """One of them: what it depends on, what it says, where its logs are."""
    from kpatch_tool.report import kept as show
    from kpatch_tool.results.kept import find

    one = find(common.here(), name)
    if as_json:
        common.emit_json(show.document(one))
    else:
        typer.echo(show.one_text(one))


@app.command("prune")
def prune(
    *,
    max_size: Annotated[
        str | None, typer.Option("--max-size", metavar="SIZE", help="Until it takes at most this: 500M, 2G.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="AGE", help="What was not used for so long: 12h, 30d, 4w.")
    ] = None,
    pretend: Annotated[bool, typer.Option("--pretend", help="Remove nothing, tell what would be.")] = False,
    as_json: common.JsonOption = False,
) -> None:
    """Remove what was not used for the longest time. What a running kpt uses stays. Without options: leftovers only."""
    from kpatch_tool.report import kept as show
    from kpatch_tool.results.prune import age_of, size_of
    from kpatch_tool.results.prune import prune as prune_store

    pruned = prune_store(
        common.here(),
        max_size=None if max_size is None else size_of(max_size),
        older_than=None if older_than is None else age_of(older_than),
        pretend=pretend,
    )
    if as_json:
        common.emit_json(show.pruned_document(pruned))
    else:
        typer.echo(show.pruned_text(pruned, pretend=pretend))
