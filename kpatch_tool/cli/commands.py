"""The commands of kpt and their line of help, in the order a reviewer meets them.

The module of a command has its name; a group (`kpt tree add`) has an `app`, every other one a function `command`.
"""

from __future__ import annotations

TABLE: dict[str, str] = {
    "init": "Make this directory a kpt workspace.",
    "doctor": "What this machine lacks, and the command that brings it.",
    "import": "Read a thread (mbox, patches, archive page) into series/.",
    "index": "List the series in large mailboxes.",
    "list": "The series of this workspace.",
    "show": "What is in a series.",
    "restore": "Give a series from an archive page its white space back.",
    "deps": "Which patch needs which, and why.",
    "base": "Which commits a series was made on, or the nearest.",
    "diff": "What changed between two revisions of a series.",
    "tree": "Kernel trees: add, list, use, remove.",
    "apply": "Put a series on a kernel tree, as commits on branch kpt/SERIES.",
    "undo": "Take back the last apply of a series.",
    "build": "Build the KVM modules and a bootable kernel.",
    "suite": "Test suites: add, list, remove.",
    "test": "Boot what was built, run the suites, compare with the base.",
    "bisect": "Find the patch that changes the answer.",
    "run": "All of it: restore, deps, apply, build, test, report.",
    "report": "The last results of a series.",
    "results": "What is kept of builds, tests and runs: list, show, prune.",
}

GROUPS = frozenset({"tree", "suite", "results"})
