"""kpt apply"""

from __future__ import annotations

from typing import Annotated

import typer

from kpatch_tool.cli import common, streams


def command(
    series: common.SeriesArgument = None,
    *,
    tree: common.TreeOption = None,
    patches: Annotated[
        str | None,
        typer.Option(metavar="2,4-5", help="Only these patches, and what they need (--reverse: what needs them)."),
    ] = None,
    no_deps: Annotated[
        bool, typer.Option("--no-deps", help="With --patches: only these, without what they need.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Only say whether it fits; write nothing.")] = False,
    reverse: Annotated[bool, typer.Option("--reverse", help="Take the series out of a tree that has it.")] = False,
    onto: Annotated[
        str | None,
        typer.Option(
            metavar="COMMIT",
            help="Put it on this commit, not on the tree's base; `declared`, `found`: what "
            "`kpt base` says; kpt/SERIES: another series.",
        ),
    ] = None,
    with_prerequisites: Annotated[
        bool, typer.Option("--with-prerequisites", help="Apply the series first that it says go first.")
    ] = False,
    as_json: common.JsonOption = False,
) -> None:
    """Put a series on a kernel tree, as commits on branch kpt/SERIES. All of it, or nothing."""
    from kpatch_tool.tree.command import apply_named

    workspace = common.here()
    done = apply_named(
        workspace,
        common.chosen(workspace, series),
        tree=tree,
        patches=patches,
        check=check,
        reverse=reverse,
        needed=not no_deps,
        onto=onto,
        with_prerequisites=with_prerequisites,
    )
    with common.verdict(findings=done.outcome.findings):
        if as_json:
            from kpatch_tool.report.document import apply_document

            for note in done.notes:
                streams.say(f"{note}\n")
            common.emit_json({**apply_document(done.outcome), "notes": list(done.notes)})
        else:
            from kpatch_tool.report import apply as show

            typer.echo(show.text(done.outcome, done.tree, notes=done.notes))
