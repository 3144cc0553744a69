"""kpt tree: add, list, use, remove"""

from __future__ import annotations

from typing import Annotated

import typer

from kpatch_tool.cli import common

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The tree's name.")]


@app.command("add")
def add(
    name: NameArgument,
    *,
    debian: Annotated[
        str | None, typer.Option(metavar="PACKAGE", help="Debian's kernel source, e.g. linux-source-6.1.")
    ] = None,
    git: Annotated[str | None, typer.Option(metavar="URL|PATH", help="A git repository (with --ref).")] = None,
    ref: Annotated[
        str | None, typer.Option(metavar="R", help="Branch, tag or commit of --git; HEAD if left out.")
    ] = None,
    directory: Annotated[str | None, typer.Option("--dir", metavar="D", help="A directory of kernel sources.")] = None,
    tarball: Annotated[str | None, typer.Option(metavar="F", help="A tar archive of kernel sources.")] = None,
    skeleton: Annotated[
        str | None, typer.Option(metavar="SERIES", help="Nothing but the hunks of a series; proves nothing.")
    ] = None,
    without_missing: Annotated[
        bool, typer.Option("--without-missing", help="Leave out the files that a partial clone lacks.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a tree of that name.")] = False,
    as_json: common.JsonOption = False,
) -> None:
    """Bring a kernel tree here. Without a source, the description in kernel-trees/trees.toml counts."""
    from kpatch_tool.report import trees as show
    from kpatch_tool.tree.adding import add as add_tree
    from kpatch_tool.tree.catalogue import Catalogue
    from kpatch_tool.tree.choice import choose_source

    catalogue = Catalogue(common.here())
    given = {"debian": debian, "git": git, "dir": directory, "tarball": tarball, "skeleton": skeleton}
    source = choose_source(catalogue, name, given, ref, without_missing=without_missing)
    with common.progress() as progress:
        added = add_tree(catalogue, name, source, force=force, progress=progress)
    if as_json:
        common.emit_json(show.added_document(added))
    else:
        typer.echo(show.added_text(added))


@app.command("list")
def list_trees(as_json: common.JsonOption = False) -> None:
    """The kernel trees that are here, and those trees.toml describes."""
    from kpatch_tool.report import trees as show
    from kpatch_tool.tree.catalogue import Catalogue

    rows = Catalogue(common.here()).list()
    if as_json:
        common.emit_json(show.list_document(rows))
    else:
        typer.echo(show.list_text(rows))


@app.command("use")
def use(name: NameArgument) -> None:
    """Make a tree the one every command means when it is given none."""
    from kpatch_tool.tree.catalogue import IN_USE, Catalogue

    catalogue = Catalogue(common.here())
    tree = catalogue.get(name)
    catalogue.workspace.remember(IN_USE, tree.name)
    typer.echo(f"using tree {tree.name}")


@app.command("remove")
def remove(name: NameArgument) -> None:
    """Remove a tree from this workspace. Its description in trees.toml stays."""
    from kpatch_tool.tree.adding import remove as remove_tree
    from kpatch_tool.tree.catalogue import Catalogue

    remove_tree(Catalogue(common.here()), name)
    typer.echo(f"removed tree {name}")
