"""The make of a kernel that kpt has built, as its rooms call it: the peer of several rows."""

from __future__ import annotations

from pathlib import Path

from kpatch_tool.kbuild import arch as archs
from kpatch_tool.kbuild.make import Make
from kpatch_tool.kbuild.objdir import ObjectDirectory
from kpatch_tool.kbuild.plan import Plan, make_plan
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.worktree import worktree_of
from kpatch_tool.workspace import Workspace

ARCH = "x86_64"


def plan_of(workspace: Workspace, tree: str) -> Plan:
    """How kpt builds the states of a tree."""
    return make_plan(Catalogue(workspace).get(tree), archs.load(ARCH), ())


def make_of(workspace: Workspace, plan: Plan) -> Make:
    """Make in the checkout and object directory where kpt builds them."""
    directory = ObjectDirectory(workspace.state / "build" / f"{plan.tree.name}-{ARCH}")
    variables = {**plan.compat.variables(plan.tools, directory.notes / "compat"), **plan.tree.make}
    source = worktree_of(workspace, plan.tree).path
    return Make(source, directory.path, directory.notes, plan.arch.make_arch, variables, 2)


def module_goals(plan: Plan) -> list[str]:
    """What makes KVM's modules and no image."""
    places = " ".join(dict.fromkeys(str(Path(module).parent) for module in plan.modules))
    return ["modules", f"vmlinux-dirs={places}"]
