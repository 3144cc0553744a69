"""The program that runs kpt's own test images: what it says to command lines it does not take."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kpatch_tool.suites import own
from kpatch_tool.system import process

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("suite")
    own.compile_into(directory)
    return directory / own.MONITOR


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no -kernel"),
        (("-kernel",), "-kernel wants a value, or is unknown"),
        (("-cpu", "max", "-kernel", "x"), "unknown option -cpu"),
        (("-kernel", "x", "-smp", "9"), "-smp wants a number from 1 to 8, not 9"),
        (("-kernel", "x", "-smp", "two"), "-smp wants a number from 1 to 8, not two"),
        (("-kernel", "x", "-m", ""), "-m wants a number from 1 to 1024, not "),
    ],
)
def test_a_command_line_it_does_not_take(monitor: Path, words: tuple[str, ...], said: str) -> None:
    done = process.run((str(monitor), *words), timeout=10)
    assert (done.status, done.stdout, done.stderr.decode()) == (2, b"", f"{said}\n")


def test_it_needs_no_library(monitor: Path) -> None:
    """It is put into guests that have none."""
    assert process.run(("readelf", "-d", str(monitor))).stdout.strip() == b"There is no dynamic section in this file."
