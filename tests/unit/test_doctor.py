"""What the doctor sees on machines that lack things. Machines are made of a PATH with links to real programs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kpatch_tool import doctor
from kpatch_tool.cli.commands import TABLE
from kpatch_tool.doctor import Kind, Tool
from kpatch_tool.errors import MachineError


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with sh only; add programs to it with `give`."""
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    give(bin_dir, "sh", "cat")
    monkeypatch.setenv("PATH", str(bin_dir))
    return bin_dir


def give(bin_dir: Path, *names: str) -> None:
    for name in names:
        real = shutil.which(name, path="/usr/bin:/bin:/usr/local/bin")
        assert real is not None, f"{name} is not installed"
        (bin_dir / name).symlink_to(real)


def script(bin_dir: Path, name: str, text: str) -> None:
    path = bin_dir / name
    path.write_text(f"#!{bin_dir}/sh\n{text}\n")
    path.chmod(0o755)


def tool(kind: str, find: str, version: tuple[str, ...] = ()) -> Tool:
    return Tool(
        name=find, kind=Kind(kind), find=find, package="p", commands=frozenset({"build"}), why="w", version=version
    )


def test_the_data_is_sound() -> None:
    names = [entry.name for entry in doctor.tools()]
    assert len(set(names)) == len(names)
    for entry in doctor.tools():
        assert entry.commands <= TABLE.keys(), entry.name
        assert entry.kind is Kind.PROGRAM or not entry.version
        assert len(entry.why) <= 27, "one line of the table on 80 columns"


def test_whatever_a_part_of_run_needs_run_needs() -> None:
    for entry in doctor.tools():
        # Nothing cannot be done without the sandbox: who has none is told, and may choose.
        assert "run" in entry.commands or not entry.required or entry.name == "bubblewrap"


def test_programs_headers_and_libraries_that_are_here() -> None:
    assert doctor.find(tool("program", "git", version=("--version",))).version.startswith("2.")
    header = doctor.find(tool("header", "stdio.h")).place
    library = doctor.find(tool("library", "libc.a")).place
    assert header is not None and header.is_file()
    assert library is not None and library.is_file()


@pytest.mark.parametrize("kind", ["program", "header", "library"])
def test_what_is_not_here(kind: str) -> None:
    assert doctor.find(tool(kind, "no-such-thing.h")).place is None


def test_a_version_that_cannot_be_had_is_empty(bare: Path) -> None:
    script(bare, "dumb", "exit 1")
    found = doctor.find(tool("program", "dumb", version=("--version",)))
    assert (found.there, found.version) == (True, "")


def test_missing_for_a_command(bare: Path) -> None:
    missing = [entry.name for entry in doctor.missing_for("build")]
    assert missing[:3] == ["git", "make", "gcc"]
    assert "libelf headers" in missing and "qemu-system-x86_64" not in missing and "ccache" not in missing
    give(bare, "git", "make")
    assert [entry.name for entry in doctor.missing_for("build")] == missing[2:]
    assert doctor.missing_for("show") == ()


def test_require_says_it_in_one_line(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    give(bare, "git")
    script(bare, "apt-get", "exit 0")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(MachineError) as caught:
        doctor.require("tree")
    assert caught.value.line() == (
        "`kpt tree` needs xz; `sudo apt-get install -y --no-install-recommends xz-utils`, or `kpt doctor --install`"
    )


def test_a_package_is_named_once(bare: Path) -> None:
    packages = doctor.check(bare).packages
    assert packages.count("libc6-dev") == 1
    assert "ccache" not in packages


def test_no_apt_gives_the_names_only(bare: Path) -> None:
    with pytest.raises(MachineError, match=r"no apt-get here; install what your system calls flex bison"):
        doctor.install(("flex", "bison"))


def test_no_root_and_no_sudo(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(bare, "apt-get", "exit 0")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(MachineError, match=r"takes root, and there is no sudo; as root: `apt-get install"):
        doctor.install(("flex",))


def test_install_fetches_the_lists_first_where_there_are_none(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    script(bare, "apt-get", f'echo "$*" >> {log}; echo words of apt')
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(doctor, "_APT_LISTS", tmp_path / "none")
    doctor.install(("flex", "bc"))
    assert log.read_text().splitlines() == ["update -q", "install -y --no-install-recommends flex bc"]
    shown = capfd.readouterr()
    assert shown.out == "" and "words of apt" in shown.err


def test_install_tries_again_with_new_lists(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, lists = tmp_path / "log", tmp_path / "lists"
    lists.mkdir()
    (lists / "host_Packages.lz4").touch()
    script(
        bare, "apt-get", f'echo "$1" >> {log}; [ $1 = update ] && {{ : > {log}.fresh; exit 0; }}; [ -e {log}.fresh ]'
    )
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(doctor, "_APT_LISTS", lists)
    doctor.install(("flex",))
    assert log.read_text().split() == ["install", "update", "install"]


def test_install_that_fails(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(bare, "apt-get", "exit 100")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(doctor, "_APT_LISTS", tmp_path)
    with pytest.raises(MachineError, match=r"apt-get ended with status 100; see its output above"):
        doctor.install(("flex",))


def test_too_little_of_the_machine_is_said() -> None:
    machine = doctor.Machine(1, 1.0, 2.5, 2.0, 6.0, "absent", "works")
    assert machine.short_of == (
        "2.5 GB of disk are free; trees and builds take about 6",
        "1.0 GB of memory; builds and guests want 2",
    )


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("git version 2.39.5\n", "2.39.5"),
        ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg)\nCopyright", "7.2.22"),
        ("bc 1.07.1\n", "1.07.1"),
        ("", ""),
        ("no numbers at all here", "no numbers at al"),
    ],
)
def test_version_in(said: str, version: str) -> None:
    assert doctor.version_in(said) == version
