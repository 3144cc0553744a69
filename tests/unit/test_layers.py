"""The rooms of docs/architecture.md: data flows one way, and nothing imports upward."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import kpatch_tool

_PACKAGE = Path(kpatch_tool.__file__).parent
# From the bottom up, rooms and single files; those of one row may not import one another.
_ROOMS = (
    ("errors", "progress", "text"),
    ("system",),
    ("workspace",),
    ("doctor", "storage"),
    ("diff", "mail"),
    ("restore",),
    ("series",),
    ("depend",),
    ("tree",),
    ("kbuild",),
    ("vm",),
    ("suites",),
    ("results",),
    ("testing",),
    ("bisect",),
    ("report",),
    ("running",),
    ("cli",),
    ("__main__",),
)
_HEIGHT = {room: height for height, row in enumerate(_ROOMS, start=1) for room in row}


def _imports(file: Path) -> Iterator[tuple[int, str]]:
    """The line and the room (or single file) of everything of kpt's that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == "kpatch_tool" and rest:
                yield node.lineno, rest.split(".")[0]


def _upward(file: Path, room: str) -> list[str]:
    return [
        f"{file.name}:{line} imports {other}"
        for line, other in _imports(file)
        if other not in {room, "__version__"} and _HEIGHT[other] >= _HEIGHT[room]
    ]


@pytest.mark.parametrize("room", sorted(path.name for path in _PACKAGE.iterdir() if (path / "__init__.py").is_file()))
def test_a_room_imports_from_below_only(room: str) -> None:
    assert room in _HEIGHT, "a new room: say in docs/architecture.md and here where it stands"
    files = sorted((_PACKAGE / room).rglob("*.py"))
    assert files
    assert [found for file in files for found in _upward(file, room)] == []


def test_single_files_import_from_below_only() -> None:
    files = sorted(set(_PACKAGE.glob("*.py")) - {_PACKAGE / "__init__.py"})
    assert {file.stem for file in files} <= set(_HEIGHT), "a new file: say where it stands, or put it into a room"
    assert [found for file in files for found in _upward(file, file.stem)] == []


def _within(room: Path) -> Iterator[tuple[Path, int, str]]:
    """Every file of a room's with the line and the part (a room or a file in it) of what it imports of that room."""
    for file in sorted(room.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                for name in (f"{node.module}.{alias.name}" for alias in node.names):
                    if name.startswith(f"kpatch_tool.{room.name}."):
                        yield file, node.lineno, name.split(".")[2]


def test_the_rooms_of_restoring_stand_one_on_the_other() -> None:
    """How a line is spaced knows nothing of patches, and neither it nor loose reading of how readings are tried."""
    restore = _PACKAGE / "restore"
    forbidden = {"style": {"readings", "loosely"}, "readings": {"loosely"}, "loosely": {"style", "readings"}}
    assert all(list((restore / room).glob("*.py")) for room in forbidden)
    for file, line, other in _within(restore):
        assert other not in forbidden.get(file.parent.name, set()), f"{file}:{line}"


# The rooms and the single files of series/, from the bottom up, as above.
_OF_SERIES = (
    ("model",),
    ("people",),
    ("reading",),
    ("postings", "restoring"),
    ("mailboxes", "assemble"),
    ("directory",),
    ("views", "importing"),
)


def test_the_rooms_of_series_stand_one_on_the_other() -> None:
    series = _PACKAGE / "series"
    height = {part: height for height, row in enumerate(_OF_SERIES) for part in row}
    parts = {path.stem for path in series.iterdir() if (path / "__init__.py").is_file() or path.suffix == ".py"}
    assert parts - {"__init__"} == set(height), "say here and in docs/architecture.md where a new one stands"
    for file, line, other in _within(series):
        mine = file.relative_to(series).with_suffix("").parts[0]
        assert other == mine or height[other] < height[mine], f"{file}:{line} imports {other}"


def test_an_upward_import_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text(
        "from kpatch_tool import text, report\n"
        "from kpatch_tool.tree.objects import Objects\n"
        "def late():\n    from kpatch_tool.cli import common\n",
        "utf-8",
    )
    told = ["bad.py:1 imports report", "bad.py:2 imports tree", "bad.py:4 imports cli"]
    assert sorted(_upward(file, "tree")) == [told[0], told[2]]
    assert sorted(_upward(file, "mail")) == told


def test_a_test_file_imports_no_other_test_file() -> None:
    """What several need stands in a file of its own in tests/; else one test cannot change without another's."""
    tests = Path(__file__).parents[1]
    found = [
        f"{file.relative_to(tests)}:{node.lineno}"
        for file in sorted(tests.rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_bytes()))
        if isinstance(node, ast.ImportFrom) and any(part.startswith("test_") for part in (node.module or "").split("."))
    ]
    assert found == []
