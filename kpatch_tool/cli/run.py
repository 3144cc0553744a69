"""kpt run"""

from __future__ import annotations

from typing import Annotated

import typer

from kpatch_tool.cli.common import (
    ArchOption,
    ConfigOption,
    JobsOption,
    JsonOption,
    NoSandboxOption,
    SeriesArgument,
    SuiteOption,
    TreeOption,
    chosen,
    console,
    emit_json,
    ending,
    here,
)


def command(
    series: SeriesArgument = None,
    *,
    tree: TreeOption = None,
    arch: ArchOption = "x86_64",
    suite: SuiteOption = None,
    each: Annotated[bool, typer.Option("--each", help="Test every state, even where nothing changed.")] = False,
    head: Annotated[bool, typer.Option("--head", help="Test the base and the last state only.")] = False,
    config: ConfigOption = None,
    jobs: JobsOption = None,
    no_sandbox: NoSandboxOption = False,
    as_json: JsonOption = False,
) -> None:
    """All of it: restore, deps, apply, build, test, report. Exit status 1 when something was found."""
    from kpatch_tool.report import live
    from kpatch_tool.report.document import run_document
    from kpatch_tool.report.table import show
    from kpatch_tool.running.command import Request, run_series, which

    workspace = here()
    request = Request(
        chosen(workspace, series),
        tree=tree,
        arch=arch,
        suites=tuple(suite or ()),
        which=which(each, head),
        fragments=tuple(config or ()),
        jobs=jobs,
    )
    with live.watcher_for(console(stderr=True)) as watcher:
        done = run_series(workspace, request, watcher)
    with ending(done.record.exit_status):
        if as_json:
            emit_json({**run_document(done.record), "reports": [str(path) for path in done.reports]})
        else:
            show(done.record, console(), done.reports)
