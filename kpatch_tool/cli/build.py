"""kpt build"""

from __future__ import annotations

from typing import Annotated

import typer

from kpatch_tool.cli import common


def command(
    series: common.SeriesArgument = None,
    *,
    tree: common.TreeOption = None,
    arch: common.ArchOption = "x86_64",
    patch: Annotated[int | None, typer.Option("--patch", metavar="K", help="The state after patch K.")] = None,
    each: Annotated[bool, typer.Option("--each", help="The base and the state after every patch.")] = False,
    base: Annotated[bool, typer.Option("--base", help="The tree without the series.")] = False,
    config: common.ConfigOption = None,
    jobs: Annotated[
        int | None, typer.Option("-j", "--jobs", metavar="N", min=1, help="Jobs of make; all processors if not given.")
    ] = None,
    no_sandbox: common.NoSandboxOption = False,
    as_json: common.JsonOption = False,
) -> None:
    """Build the KVM modules and a bootable kernel of the series' last state, or of those asked for.

    Exit status 1 when one does not build, or warns of what the base does not.
    """
    from kpatch_tool.kbuild.command import Request, build_request

    request = Request(series, tree, arch, patch, each, base, tuple(config or ()), jobs)
    with common.progress() as progress:
        done = build_request(common.here(), request, progress)
    with common.verdict(findings=done.findings, incomplete=done.infra is not None):
        if as_json:
            from kpatch_tool.report.document import build_document

            common.emit_json(build_document(done.builds, arch, earlier=done.earlier, uncompiled=done.uncompiled))
        else:
            from kpatch_tool.report import builds as show

            typer.echo(show.text(done))
