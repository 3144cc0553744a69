"""kpt doctor, as a user runs it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.conftest import Kpt


def test_a_machine_with_nothing(kpt: Kpt, tmp_path: Path) -> None:
    ran = kpt("doctor", env={"PATH": str(tmp_path)}, status=3)
    assert ran.err == ""
    assert "MISSING" in ran.out and "libelf-dev" in ran.out
    assert max(map(len, ran.out.splitlines()[:-1])) <= 80
    assert "\x1b" not in ran.out


def test_json_names_the_command(kpt: Kpt, tmp_path: Path) -> None:
    (tmp_path / "apt-get").symlink_to("/bin/true")
    document = kpt("doctor", "--json", env={"PATH": str(tmp_path)}, status=3).json
    assert (document["kpt"], document["well"]) == (1, False)
    command = document["install"][1:] if document["install"][0] == "sudo" else document["install"]
    assert command == ["apt-get", "install", "-y", "--no-install-recommends", *document["missing_packages"]]


def test_install_without_apt_is_one_line(kpt: Kpt, tmp_path: Path) -> None:
    ran = kpt("doctor", "--install", env={"PATH": str(tmp_path)}, status=3)
    assert ran.out == ""
    assert ran.err.startswith("kpt: no apt-get here; install what your system calls git make gcc")
    assert ran.err.count("\n") == 1


def test_only_what_is_missing_is_asked_for(kpt: Kpt, tmp_path: Path) -> None:
    for name in ("git", "make", "xz"):
        (tmp_path / name).symlink_to(shutil.which(name, path=os.defpath) or "")
    document = kpt("doctor", "--json", env={"PATH": str(tmp_path)}, status=3).json
    assert {entry["name"] for entry in document["tools"] if entry["there"]} == {"git", "make", "xz"}
    assert not {"git", "make", "xz-utils"} & set(document["missing_packages"])
