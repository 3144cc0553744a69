"""All that is decided about a build before make runs: configuration, tools, compatibility, the artifact's key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kpatch_tool.errors import InputError
from kpatch_tool.kbuild import artifacts, config
from kpatch_tool.kbuild.arch import Arch
from kpatch_tool.kbuild.compat import Compat, compat
from kpatch_tool.kbuild.toolchain import Toolchain, probe
from kpatch_tool.tree.model import State, Tree


@dataclass(frozen=True, slots=True)
class Plan:
    """How the states of a tree are built for one architecture. `ours` are the origins ("kvm-guest.config:12") of what
    kpt's own fragments and compat.toml ask for."""

    tree: Tree
    arch: Arch
    asked: tuple[config.Asked, ...]
    ours: frozenset[str]
    tools: Toolchain
    compat: Compat

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules to make, in the order to load them."""
        return self.arch.modules_of(self.tree.version)

    @property
    def generation(self) -> str:
        """Names the tools, flags and make variables; objects made with others cannot be used again."""
        return _digest(self.tools.identity, self.compat.identity, sorted(self.tree.make.items()), self.arch.make_arch)

    @property
    def config(self) -> str:
        """Names the configuration asked for."""
        return _digest(self.arch.base_config, config.render(self.asked))

    @property
    def added(self) -> tuple[str, ...]:
        """What configuration was asked for besides kpt's own: "CONFIG_PROVE_LOCKING=y"."""
        return tuple(f"{one.symbol}={one.value}" for one in self.asked if one.origin not in self.ours)

    def key(self, state: State) -> str:
        """Names the artifact of `state`: its files, and all that decides what make does with them."""
        return artifacts.key([state.tree_id, self.generation, self.config, self.arch.name, self.modules])


def make_plan(tree: Tree, arch: Arch, fragments: Iterable[Path]) -> Plan:
    """Decide how `tree` is built for `arch` with the user's `fragments`, later ones winning over earlier ones, over the
    tree's own lines and over kpt's.

    Raises InputError for a fragment that cannot be read or a tree without sources, MachineError for a missing tool.
    """
    if tree.skeleton:
        raise InputError(
            f"tree {tree.name} is a skeleton made from a series' own hunks: it cannot be built",
            todo="add a whole tree (`kpt tree add`) and name it with --tree",
        )
    tools = probe(tree.make)
    needs = compat(tree.version, tools)
    own = [one for path in arch.fragments for one in _fragment(path, path.name, tree)]
    own += config.read_fragment("\n".join(needs.config), "compat.toml", tree.version)
    asked = [*own, *config.read_fragment("\n".join(tree.config), f"trees.toml, config of {tree.name}", tree.version)]
    for path in fragments:
        asked += _fragment(path, str(path), tree)
    return Plan(
        tree=tree,
        arch=arch,
        asked=config.merged(asked),
        ours=frozenset(one.origin for one in own),
        tools=tools,
        compat=needs,
    )


def _fragment(path: Path, origin: str, tree: Tree) -> tuple[config.Asked, ...]:
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise InputError(
            f"cannot read the configuration fragment: {(error.strerror or str(error)).lower()}", where=str(path)
        ) from error
    except UnicodeDecodeError as error:
        raise InputError("the configuration fragment is not text", where=str(path)) from error
    return config.read_fragment(text, origin, tree.version)


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
