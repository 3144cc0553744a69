"""kpt test"""

from __future__ import annotations

from typing import Annotated

import typer

from kpatch_tool.cli import common


def command(
    series: common.SeriesArgument = None,
    *,
    tree: common.TreeOption = None,
    suite: common.SuiteOption = None,
    test: common.TestOption = None,
    patch: Annotated[
        list[int] | None, typer.Option("--patch", metavar="K", help="The state after patch K (may be repeated).")
    ] = None,
    each: Annotated[bool, typer.Option("--each", help="Every state.")] = False,
    base: Annotated[bool, typer.Option("--base", help="The base alone.")] = False,
    variant: common.VariantOption = None,
    arch: common.ArchOption = "x86_64",
    timeout: common.TimeoutOption = None,
    accel: Annotated[
        str | None, typer.Option("--accel", metavar="kvm|tcg", help="Instead of what a trial says.")
    ] = None,
    by_hand: Annotated[bool, typer.Option("--nodefault", help="Also tests marked to be run by hand only.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Test again what is remembered.")] = False,
    config: common.ConfigOption = None,
    jobs: common.JobsOption = None,
    no_sandbox: common.NoSandboxOption = False,
    as_json: common.JsonOption = False,
) -> None:
    """Boot what was built, run the suites, compare with the base. Exit status 1 when something got worse."""
    from kpatch_tool.suites.run import Options
    from kpatch_tool.testing.command import Request, test_request

    options = Options(tuple(test or ()), tuple(variant or ()), timeout, accel, by_hand).by_name()
    request = Request(
        series,
        tree,
        arch,
        tuple(suite or ()),
        tuple(patch or ()),
        each=each,
        base=base,
        fresh=fresh,
        options=options,
        fragments=tuple(config or ()),
        jobs=jobs,
    )
    workspace = common.here()
    with common.progress() as progress:
        tested = test_request(workspace, request, progress)
    with common.verdict(findings=tested.findings, incomplete=tested.untested):
        if as_json:
            from kpatch_tool.report.document import tests_document

            document = tests_document(tested.states)
            common.emit_json({**document, "accelerator": tested.accel, "not_tested": tested.not_tested})
        else:
            from kpatch_tool.report import tests as show

            show.show(tested, common.console())
