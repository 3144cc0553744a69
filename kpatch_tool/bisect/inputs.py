"""What the answers of a search depend on besides the states and the question: looks that were made with other inputs
are none of this search."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from kpatch_tool.bisect.asked import Request
from kpatch_tool.bisect.questions import Builder
from kpatch_tool.kbuild import arch as archs
from kpatch_tool.kbuild import artifacts
from kpatch_tool.kbuild.plan import make_plan
from kpatch_tool.suites import catalogue, run
from kpatch_tool.testing.command import default_suites
from kpatch_tool.vm import accel, host, qemu

_READ_AT_MOST = 4 << 20  # bytes; of a larger file size and time tell
_SPLIT = re.compile(r"[\s|&;()`'\"]+")  # a script may be named inside of `sh -c '...'`
_WRITTEN = re.compile(r"\d*>+[|&]?")


def inputs_of(builder: Builder, request: Request) -> list[str]:
    """The build's tools, flags and configuration, where the states are built; the suites' versions and QEMU, where they
    are booted, and this machine, where that may be with KVM; the files that the command names."""
    found: list[str] = []
    if request.builds:
        plan = make_plan(builder.tree, archs.load(builder.arch), builder.fragments)
        found += [builder.arch, plan.generation, plan.config, artifacts.rules()]
    if request.boots:
        suites = request.suites or default_suites(builder.workspace)
        versions = (catalogue.get(builder.workspace, suite, builder.progress).version for suite in suites)
        asked = os.environ.get(accel.ENVIRONMENT, "")
        found += [str(run.FORMAT), asked, qemu.version(qemu.find()), *versions]
        if asked != "tcg" and accel.has_device():
            found.append(host.identity())
    if request.run is not None:
        found += _files_of(request.run)
    return found


def _files_of(command: str) -> Iterator[str]:
    """A digest of every file that the words of a command name, those that it writes left out."""
    named = [*shlex.split(command), *_SPLIT.split(command)]
    written = {word for sign, word in pairwise(named) if _WRITTEN.fullmatch(sign)}
    for word in sorted({*named} - written):
        path = Path(word)
        try:
            if not path.is_file():
                continue
            status = path.stat()
            if status.st_size > _READ_AT_MOST:
                yield f"{word} {status.st_size} {status.st_mtime_ns}"
            else:
                yield f"{word} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        except (OSError, ValueError):  # a word that is no path, a file that only the command may read
            continue
