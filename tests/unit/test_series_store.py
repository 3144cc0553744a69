"""The series directory: written whole, read back, found."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from kpatch_tool import workspace
from kpatch_tool.diff.undecided import Undecided
from kpatch_tool.errors import InputError, KptError
from kpatch_tool.mail.read import SourceFile, read_files
from kpatch_tool.series.assemble import assemble
from kpatch_tool.series.directory import files, store
from kpatch_tool.series.model import Exactness, Series
from kpatch_tool.workspace import Workspace
from tests.clock import within
from tests.mail_fixtures import DIFF, Mail, linuxlists, mbox, patch

COVER = Mail("[PATCH v2 0/2] mm: do it", "Text.\n\nFrom: me\n", "c")
ONE = patch("[PATCH v2 1/2] mm: one é", "p1", minute=1, reply_to="c")
TWO = patch("[PATCH v2 2/2] mm: two", "p2", minute=2, reply_to="c")
REPLY = Mail("Re: [PATCH v2 2/2] mm: two", "Acked-by: Joé <joe@x.org>\n\n> x\n", "r", "p2", "Joé", "joe@x.org", 4)
THREAD = mbox(COVER, TWO, ONE, REPLY)
PAGE = linuxlists(COVER, TWO, ONE)
OPEN = Undecided("f", 1, "x", "2 readings")


@pytest.fixture
def here(tmp_path: Path) -> Workspace:
    return workspace.create(tmp_path / "w")


def put(here: Workspace, data: bytes, name: str = "s", file: str = "page.txt", *, force: bool = False) -> Series:
    received = read_files([SourceFile(file, data)], where=file)
    series = replace(assemble(received.messages, where=file, name=name), tree="debian-6.1")
    store.save(here, series, received, force=force)
    return series


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize("data", [THREAD, PAGE], ids=["mbox", "page"])
def test_what_is_saved_is_loaded(here: Workspace, data: bytes) -> None:
    series = put(here, data)
    assert store.load(here.series / "s") == series
    assert store.reread(here.series / "s") == series


def test_the_files(here: Workspace) -> None:
    put(here, THREAD)
    found = contents(here.series / "s")
    names = ["0001-mm-one.patch", "0002-mm-two.patch"]
    assert sorted(found) == [*names, "cover.txt", "replies/0001.txt", "series", "series.toml", "source/page.txt"]
    assert found["source/page.txt"] == THREAD
    assert found["series"].decode().split() == names
    assert found["0001-mm-one.patch"].startswith(b"From 0000")
    assert [path.name for path in here.series.iterdir()] == ["s"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "etc/passwd"),
        ("a\x1b[31m\nb.txt", "a_31m_b.txt"),
        (".hidden", "hidden"),
        ("..", "file"),
        ("cur/1:2,S", "cur/1:2,S"),
        ("x" * 500 + ".txt", "x" * 116 + ".txt"),
    ],
)
def test_names_of_sources_are_made_safe(given: str, kept: str) -> None:
    assert store.safe_path(given) == kept


def test_files_of_one_name_are_kept_apart(here: Workspace) -> None:
    files = [SourceFile("1.mbox", mbox(ONE)), SourceFile("1.mbox", mbox(TWO)), SourceFile("1.MBOX", mbox(COVER))]
    received = read_files(files, where="x")
    series = assemble(received.messages, where="x", name="s")
    store.save(here, series, received)
    assert sorted(path.name for path in (here.series / "s" / "source").iterdir()) == ["1-2.mbox", "1-3.MBOX", "1.mbox"]
    assert store.reread(here.series / "s") == series


def test_again_the_same_changes_nothing_another_is_refused(here: Workspace) -> None:
    put(here, PAGE)
    before = contents(here.series / "s")
    put(here, PAGE)
    assert contents(here.series / "s") == before
    with pytest.raises(InputError, match=r"another source.*--force"):
        put(here, THREAD)
    received = read_files([SourceFile("page.txt", PAGE)], where="page.txt")
    series = replace(assemble(received.messages, where="page.txt", name="s"), tree="another")
    with pytest.raises(InputError, match=r"the same source, imported with other options"):
        store.save(here, series, received)
    assert contents(here.series / "s") == before
    put(here, THREAD, force=True)
    assert contents(here.series / "s")["source/page.txt"] == THREAD


def test_what_was_restored_is_not_lost_by_importing_again(here: Workspace) -> None:
    series = put(here, PAGE)
    restored = replace(
        series,
        patches=tuple(
            replace(
                one,
                diff=DIFF.encode(),
                exactness=Exactness.PROVEN,
                why="blob ids agree",
                ambiguous=(OPEN,),
            )
            for one in series.patches
        ),
    )
    store.save_patches(here.series / "s", restored)
    loaded = store.load(here.series / "s")
    assert [(one.exactness, one.why, one.ambiguous) for one in loaded.patches] == [
        (Exactness.PROVEN, "blob ids agree", (OPEN,))
    ] * 2
    assert loaded.patches[0].diff == DIFF.encode()
    assert len(loaded.patches[0].files[0].hunks) == 1
    put(here, PAGE)
    assert store.load(here.series / "s") == loaded
    assert store.reread(here.series / "s") == series


def test_saving_patches_keeps_what_is_not_kpts(here: Workspace) -> None:
    series = put(here, THREAD)
    directory = here.series / "s"
    (directory / "NOTES").write_text("mine")
    renamed = replace(series, patches=(replace(series.patches[0], subject="mm: new"), series.patches[1]))
    store.save_patches(directory, renamed)
    found = contents(directory)
    assert found["NOTES"] == b"mine"
    assert found["source/page.txt"] == THREAD
    assert [name for name in found if name.startswith("0001")] == ["0001-mm-new.patch"]
    assert store.load(directory).tree == "debian-6.1"


def test_a_failed_save_leaves_nothing(here: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> bytes:
        raise KptError("disk full")

    monkeypatch.setattr(files, "patch_text", full)
    with pytest.raises(KptError, match="disk full"):
        put(here, THREAD)
    assert list(here.series.iterdir()) == []


def test_by_hand(here: Workspace) -> None:
    directory = here.series / "mine"
    directory.mkdir()
    (directory / "series.toml").write_text('title = "By hand"\ntree = "debian-6.1"\n')
    for number in (2, 1):
        text = f"From: J <j@x.org>\nSubject: [PATCH {number}/2] n{number}\n\nWhy.\n---\n{DIFF}"
        (directory / f"000{number}-x.patch").write_text(text)
    series = store.load(directory)
    assert (series.title, series.tree, series.total, series.revision) == ("By hand", "debian-6.1", 2, 1)
    assert [(one.number, one.subject, one.exactness) for one in series.patches] == [
        (1, "n1", Exactness.INTACT),
        (2, "n2", Exactness.INTACT),
    ]
    (directory / "series").write_text("0002-x.patch\n0001-x.patch\n")
    assert [one.subject for one in store.load(directory).patches] == ["n2", "n1"]
    with pytest.raises(InputError, match="source of the series is not there"):
        store.reread(directory)


def test_found_by_name_and_path(here: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    put(here, THREAD)
    directory = (here.series / "s").resolve()
    monkeypatch.chdir(here.series)
    for name in ("s", "./s", "s/", "series/s", str(directory)):
        assert store.find(here, name) == directory
    for name in ("t", "", "/", "x" * 5000, "nul\x00"):
        with pytest.raises(InputError, match="no such series; there is: s"):
            store.find(here, name)
    assert store.names(here) == ("s",)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("title = ", "not readable as TOML"),
        ("", "no patches"),
        ('[[patch]]\nfile = "gone.patch"\n', "not there"),
        ('[[patch]]\nfile = "../../x.patch"\n', "not a file of this directory"),
        ('[[patch]]\nfile = "directory.patch"\n', "cannot be read: this is no file"),
        ('[[patch]]\nfile = "ok.patch"\nexactness = "sure"\n', "exactness 'sure' is none of"),
    ],
)
def test_a_broken_directory_is_one_line(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "series.toml").write_text(text)
    if "directory.patch" in text:
        (tmp_path / "directory.patch").mkdir()
    if "ok.patch" in text:
        (tmp_path / "ok.patch").write_text("From: J <j@x.org>\nSubject: s\n\nWhy.\n---\n" + DIFF)
    with pytest.raises(InputError, match=what) as caught:
        store.load(tmp_path)
    assert "\n" not in caught.value.line()


@pytest.mark.parametrize("value", ["true", "-3", '"5"', "[5]"])
def test_what_is_no_number_is_left_out(here: Workspace, value: str) -> None:
    put(here, THREAD)
    listed = here.series / "s" / "series.toml"
    known = store.load(here.series / "s")
    lines = [line for line in listed.read_text().splitlines() if not line.startswith(("revision =", "total ="))]
    listed.write_text(f"revision = {value}\ntotal = {value}\n" + "\n".join(lines))
    found = store.load(here.series / "s")
    assert (type(found.revision), found.revision, found.total) == (int, known.revision, known.total)


WRONG = ("5", "-1", "[[1], {}]", '"../../x"', "{ a = 1 }", "true", "1979-05-27", "[" * 5000, "9" * 5000)


@pytest.mark.parametrize("value", WRONG, ids=range(len(WRONG)))
def test_values_of_any_kind_in_series_toml_are_no_crash(here: Workspace, value: str) -> None:
    put(here, THREAD)
    listed = here.series / "s" / "series.toml"
    lines = listed.read_text().splitlines()
    keys = [at for at, line in enumerate(lines) if " = " in line]
    assert len(keys) > 20
    for at in keys:
        key = lines[at].partition(" = ")[0]
        listed.write_text("\n".join([*lines[:at], f"{key} = {value}", *lines[at + 1 :]]))
        for read in (store.load, store.reread):
            with contextlib.suppress(InputError):
                read(here.series / "s")
    listed.write_text(
        "\n".join([f"from = {value}", *lines, f"damage = {value}", "[[attestation]]", f"patch = {value}"])
    )
    with contextlib.suppress(InputError):
        store.load(here.series / "s")


@pytest.mark.parametrize(("old", "new"), [("number = 1", "number = 2"), ("number = 2\n", 'number = "1"\n')])
def test_two_patches_of_one_number_are_named(here: Workspace, old: str, new: str) -> None:
    """The number of one that has none of its own is its place."""
    put(here, mbox(TWO, ONE))
    listed = here.series / "s/series.toml"
    text = listed.read_text()
    assert old in text
    listed.write_text(text.replace(old, new))
    if new == 'number = "1"\n':
        parts = listed.read_text().split("[[patch]]")
        listed.write_text("[[patch]]".join([parts[0], parts[2], parts[1]]))
    with pytest.raises(InputError, match=r"two patches have the number \d: 000\d-mm-\w+\.patch and 000\d-mm") as caught:
        store.load(here.series / "s")
    assert caught.value.where == str(listed)
    assert list(store.load_all(here)) == [store.Unreadable("s", caught.value.line())]


def test_many_files_of_one_name_are_told_apart_in_time() -> None:
    with within(5):
        names = store._distinct(["a.patch", "b", *["A.patch"] * 20_000, "b"])
    assert [*names[:4], *names[-2:]] == ["a.patch", "b", "A-2.patch", "A-3.patch", "A-20001.patch", "b-2"]
    assert store._distinct(["a-2", "a", "a", "a"]) == ["a-2", "a", "a-3", "a-4"]


_NOT_READ = {store.load: {"source/page.txt"}, store.reread: {"0002-mm-two.patch", "cover.txt", "replies/0001.txt"}}


@pytest.mark.parametrize(
    "name", ["0002-mm-two.patch", "cover.txt", "series.toml", "replies/0001.txt", "source/page.txt"]
)
@pytest.mark.parametrize("target", ["/dev/zero", "../../secret", "pipe", "loop"])
def test_what_is_no_file_of_the_series_is_not_read(here: Workspace, name: str, target: str) -> None:
    put(here, THREAD)
    (here.root / "secret").write_text("From: A <a@b.c>\nSubject: secret\n\nsecret\n")
    path = here.series / "s" / name
    path.unlink()
    if target == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to({"loop": path.name, "../../secret": str(here.root / "secret")}.get(target, target))
    for read in (store.load, store.reread):
        if name in _NOT_READ[read]:
            read(here.series / "s")
            continue
        with pytest.raises(InputError, match=r"cannot be read|leads out") as caught:
            read(here.series / "s")
        assert "\n" not in caught.value.line()


def test_a_pipe_in_the_directory_stops_a_restore_and_loses_nothing(here: Workspace) -> None:
    series = put(here, THREAD)
    os.mkfifo(here.series / "s" / "pipe")
    (here.series / "s" / "endless").symlink_to("/dev/zero")
    before = contents(here.series / "s")
    with pytest.raises(InputError, match="named pipe"):
        store.save_patches(here.series / "s", series)
    (here.series / "s" / "pipe").unlink()
    store.save_patches(here.series / "s", series)
    assert contents(here.series / "s") == before
    assert (here.series / "s" / "endless").is_symlink()


@pytest.mark.parametrize("name", ["", "../x", "a/b", "-x", "a..b", "x.lock", "é", "a b", "x" * 99, "x."])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="not a name"):
        store.check_name(name)
