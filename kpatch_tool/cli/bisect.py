"""kpt bisect"""

from __future__ import annotations

from typing import Annotated

import typer

from kpatch_tool.cli import common


def command(
    series: common.SeriesArgument = None,
    *,
    tree: common.TreeOption = None,
    build: Annotated[
        bool, typer.Option("--build", help="Ask: does it build? With --run: build every state first.")
    ] = False,
    warning: Annotated[
        str | None, typer.Option("--warning", metavar="GLOB", help="Ask: a new warning like this? '*' for any.")
    ] = None,
    suite: Annotated[
        list[str] | None, typer.Option("--suite", metavar="NAME", help="Ask: is this suite worse? (may be repeated)")
    ] = None,
    test: common.TestOption = None,
    case: Annotated[str | None, typer.Option("--case", metavar="GLOB", help="Only such cases of the tests.")] = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="CMD", help="Ask a command: 0 good, 125 skip, 1-127 bad.")
    ] = None,
    measure: Annotated[
        str | None,
        typer.Option(
            "--measure",
            metavar="WHAT",
            help="Ask: is a number worse? size:kvm.ko, text:kvm.ko, test:exits:cpuid, time:exits, or run (of CMD).",
        ),
    ] = None,
    threshold: Annotated[
        str | None,
        typer.Option(
            "--threshold",
            metavar="T",
            help="How much above the base's is still good: 5%, 100; -5% where less is worse. A size: 0, else 5%.",
        ),
    ] = None,
    bad: Annotated[
        int | None, typer.Option("--bad", metavar="K", help="Search up to patch K only, which shows it.")
    ] = None,
    minimal: Annotated[
        bool, typer.Option("--minimal", help="Then find the smallest set of patches that shows it.")
    ] = False,
    variant: common.VariantOption = None,
    arch: common.ArchOption = "x86_64",
    config: common.ConfigOption = None,
    timeout: common.TimeoutOption = None,
    confidence: Annotated[float, typer.Option("--confidence", metavar="P", help="How sure to be.")] = 0.95,
    once: Annotated[bool, typer.Option("--once", help="Trust every answer; look at each state once.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Forget what an earlier search found.")] = False,
    git: Annotated[bool, typer.Option("--git", help="Print the search as a git bisect log.")] = False,
    no_sandbox: common.NoSandboxOption = False,
    as_json: common.JsonOption = False,
) -> None:
    """Find the first patch after which the answer is bad. Exit status 1 when one is found."""
    from kpatch_tool.bisect.asked import Request
    from kpatch_tool.bisect.command import bisect_request
    from kpatch_tool.bisect.gitlog import git_log
    from kpatch_tool.report import bisect as show
    from kpatch_tool.suites.run import Options

    options = Options(tuple(test or ()), tuple(variant or ()), timeout).by_name()
    request = Request(
        series,
        tree,
        arch,
        build=build,
        warning=warning,
        suites=tuple(suite or ()),
        case=case,
        run=run,
        measure=measure,
        threshold=threshold,
        bad=bad,
        confidence=confidence,
        once=once,
        minimal=minimal,
        restart=restart,
        fragments=tuple(config or ()),
        options=options,
    )
    with common.progress() as progress:
        found = bisect_request(common.here(), request, progress)
    with common.verdict(findings=bool(found.culprits)):
        if as_json:
            common.emit_json(show.document(found))
        elif git:
            typer.echo(git_log(found.applied.states, found.seen), nl=False)
        else:
            typer.echo(show.text(found))
