"""What every command shares: exit statuses, interruption, hooks of git."""

from __future__ import annotations

import errno
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kpatch_tool import cli
from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt
from tests.patch_files import patch_text

WITH_HANGUP = ("env", "--default-signal=HUP")  # also where nohup(1) runs these tests


def wait_until_it_catches(pid: int, number: signal.Signals) -> None:
    """Until the process has a handler for the signal (proc(5), SigCgt), however slow the machine."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        status = Path(f"/proc/{pid}/status").read_text()
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
        if int(caught.split()[1], 16) >> (number - 1) & 1:
            return
        time.sleep(0.02)
    pytest.fail("it never handled the signal")


def test_an_interrupted_command_ends_with_the_signals_status(workspace: Workspace) -> None:
    """Not with 1, which stands for a finding."""
    reading = [*WITH_HANGUP, sys.executable, "-m", "kpatch_tool", "import", "-"]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with subprocess.Popen(reading, cwd=workspace.root, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            wait_until_it_catches(process.pid, signal.SIGHUP)
            process.send_signal(number)
            _, said = process.communicate(timeout=20)
        assert process.returncode == 128 + number
        assert b"interrupted" in said
        assert b"Traceback" not in said
    assert not list(workspace.series.iterdir())


def test_nohup_is_kept(workspace: Workspace) -> None:
    """It starts kpt with SIGHUP ignored."""
    reading = ["env", "--ignore-signal=HUP", sys.executable, "-m", "kpatch_tool", "import", "-", "--name", "one"]
    with subprocess.Popen(reading, cwd=workspace.root, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_until_it_catches(process.pid, signal.SIGTERM)
        process.send_signal(signal.SIGHUP)
        _, said = process.communicate(patch_text("[PATCH] one", "words\n").encode(), timeout=20)
    assert (process.returncode, (workspace.series / "one").is_dir()) == (0, True), said


_COUNTING = """
import resource
from kpatch_tool import cli
cli.typer.main.get_command = lambda app: lambda args, **options: print(resource.getrlimit(resource.RLIMIT_NOFILE))
cli.refuse_swallowed = lambda command, args: None
cli.main([])
"""


@pytest.mark.parametrize(("limits", "raised"), [("256:512", "(512, 512)"), ("512:512", "(512, 512)")])
def test_as_many_files_may_be_open_as_the_user_may_have(limits: str, raised: str) -> None:
    """A long series holds a directory of each state."""
    words = ["prlimit", f"--nofile={limits}", sys.executable, "-c", _COUNTING]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip() == raised


@pytest.mark.parametrize("error", [ValueError("not allowed"), OSError(1, "Operation not permitted")])
def test_no_more_open_files_than_allowed_is_no_fault(error: Exception) -> None:
    program = (
        "import resource, sys\n"
        "def refused(*_):\n"
        f"    raise {error!r}\n"
        "resource.setrlimit = refused\n"
        "from kpatch_tool import cli\n"
        "cli.main(['--version'])"
    )
    words = ["prlimit", "--nofile=256:512", sys.executable, "-c", program]
    subprocess.run(words, check=True, timeout=30)


_RUNNING = """
import sys
from kpatch_tool import cli
from kpatch_tool.system import process

def command(args, **options):
    try:
        process.run(["sh", "-c", f"echo $$ >{sys.argv[1]}; exec sleep 60"])
    finally:
        print("what the clean-up says", file=sys.stderr)

cli.typer.main.get_command = lambda app: command
cli.refuse_swallowed = lambda command, args: None
cli.main([])
"""


def test_what_runs_ends_with_the_terminal(tmp_path: Path) -> None:
    """A window that is closed, a connection that is lost: SIGHUP, and nothing can be written there any more."""
    here, there = pty.openpty()
    command = [*WITH_HANGUP, sys.executable, "-c", _RUNNING, str(tmp_path / "pid")]
    with subprocess.Popen(command, stdin=there, stdout=there, stderr=there) as kpt:
        os.close(there)
        deadline = time.monotonic() + 30
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.close(here)
        kpt.send_signal(signal.SIGHUP)
        assert kpt.wait(timeout=30) == 128 + signal.SIGHUP
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


_LOADING = """
import os, signal, sys
from kpatch_tool.__main__ import run
class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == "kpatch_tool.cli":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupts())
run()
"""


def test_an_interruption_while_kpt_loads(workspace: Workspace) -> None:
    done = subprocess.run([sys.executable, "-c", _LOADING], cwd=workspace.root, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


def test_a_reader_that_goes_is_no_finding(workspace: Workspace, kpt: Kpt) -> None:
    """`kpt list | head -1`: status 1 would say that something is wrong with the series."""
    mails = workspace.series / "long"
    mails.mkdir()
    text = patch_text("[PATCH] one", "words\n" * 40_000)  # more than a pipe holds
    (mails / "0001.patch").write_text(text)
    shown = ["show", "long", "--patch", "1"]
    for words in (shown, [*shown, "--json"]):
        with subprocess.Popen(
            [sys.executable, "-m", "kpatch_tool", *words],
            cwd=workspace.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            process.stdout.close()
            assert process.stderr is not None
            assert process.stderr.read() == b""
        assert process.returncode == 0


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("words", [["base", "s"], ["base", "s", "--json"], ["apply", "s"], ["run", "s"]])
def test_a_reader_that_goes_hides_no_finding(
    workspace: Workspace, kpt: Kpt, toy_repo: Path, words: list[str], *, both: bool
) -> None:
    """`set -o pipefail; kpt base s | true` is not to say that all is well."""
    mails = workspace.series / "s"
    mails.mkdir()
    (mails / "0001.patch").write_text(patch_text("[PATCH] one", "Why.\n"))
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "main")
    kpt(*words, status=1)
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "kpatch_tool", *words]
    said = subprocess.STDOUT if both else subprocess.PIPE
    done = subprocess.run(command, cwd=workspace.root, stdout=write, stderr=said, check=False)
    os.close(write)
    assert (done.returncode, b"kpt:" in (done.stderr or b"")) == (1, False)


_BROKEN = """
from kpatch_tool import cli
from kpatch_tool.cli import common
def broken():
    print("half an answer")
    raise ERROR("a bug")
common.here = broken
cli.main(["list"])
"""


@pytest.mark.parametrize("error", ["RuntimeError", "OSError"])
def test_a_bug_of_kpt_is_no_finding(workspace: Workspace, error: str) -> None:
    """Python ends with 1 after a traceback."""
    command = [sys.executable, "-c", _BROKEN.replace("ERROR", error)]
    done = subprocess.run(command, cwd=workspace.root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "half an answer\n")
    assert "Traceback" in done.stderr and done.stderr.endswith(f"{error}: a bug\n")


def test_the_program_can_be_called_twice(workspace: Workspace) -> None:
    """The module of `kpt list` must not hide Python's own list."""
    twice = (
        "import contextlib; from kpatch_tool.cli import main\n"
        "for _ in range(2):\n"
        "    with contextlib.suppress(SystemExit): main(['list', '--json'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", twice], cwd=workspace.root, capture_output=True, text=True, check=False
    )
    assert done.stderr == "" and done.stdout.count('"kpt": 1') == 2


_UNREAD = """
import subprocess
from kpatch_tool import cli
from kpatch_tool.cli import common
def broken():
    child = subprocess.Popen(["true"], stdin=subprocess.PIPE)
    child.wait()
    child.stdin.write(b"x")
    child.stdin.flush()
common.here = broken
cli.main(["list"])
"""


def test_a_program_that_does_not_read_its_input_is_the_machines_fault(workspace: Workspace) -> None:
    """What was asked for is not done; only where nobody reads kpt's own output is enough said."""
    command = [sys.executable, "-c", _UNREAD]
    done = subprocess.run(command, cwd=workspace.root, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr == "kpt: a program ended before it had read its input; run the command again\n"


def test_unread_progress_is_not_success(workspace: Workspace, toy_repo: Path) -> None:
    """`2> >(true)`: what was not done must not look done."""
    words = [sys.executable, "-m", "kpatch_tool", "tree", "add", "toy", "--git", str(toy_repo), "--ref", "main"]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(words, cwd=workspace.root, stdout=subprocess.DEVNULL, stderr=write, timeout=60, check=False)
    os.close(write)
    assert (done.returncode == 0) is (workspace.trees / "toy.git").is_dir()
    assert done.returncode in {0, 3}


def test_a_closed_standard_output(workspace: Workspace) -> None:
    for words in ("list", "list --json"):
        command = f'exec "$0" -m kpatch_tool {words} >&-'
        done = subprocess.run(
            ["sh", "-c", command, sys.executable], cwd=workspace.root, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")


def test_a_closed_standard_error(workspace: Workspace, toy_repo: Path) -> None:
    """What is to be done is done all the same, and its status told."""

    def status(words: str, closed: str = "2>&-") -> int:
        command = f'exec "$0" -m kpatch_tool {words} {closed}'
        done = subprocess.run(
            ["sh", "-c", command, sys.executable], cwd=workspace.root, capture_output=True, check=False
        )
        assert done.stderr == b""
        return done.returncode

    assert status(f"tree add toy --git {toy_repo} --ref main") == 0
    assert status(f"tree add two --git {toy_repo} --ref main", "<&- >&- 2>&-") == 0
    assert all((workspace.trees / f"{name}.git").is_dir() for name in ("toy", "two"))
    assert status("show nosuch") == 2
    assert status("nosuch") == 2


@pytest.mark.parametrize("name", ["kernel-trees/trees.toml", ".kpt/state.json"])
def test_a_directory_in_the_place_of_a_file(workspace: Workspace, kpt: Kpt, name: str) -> None:
    place = workspace.root / name
    place.unlink(missing_ok=True)
    place.mkdir(parents=True)
    said = kpt("tree", "list", status=3).err
    assert (
        said
        == f"kpt: {place}: is a directory; move away the directory in the place of a file and run the command again\n"
    )


_RENAMES = """
import pathlib
from kpatch_tool import cli
from kpatch_tool.cli import common
common.here = lambda: pathlib.Path("staged").replace("there")
cli.main(["list"])
"""


def test_a_refused_rename_names_what_stands_in_the_way(workspace: Workspace) -> None:
    (workspace.root / "staged").write_text("")
    (workspace.root / "there").mkdir()
    command = [sys.executable, "-c", _RENAMES]
    done = subprocess.run(command, cwd=workspace.root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.split(";")[0]) == (3, "kpt: there: is a directory")


@pytest.mark.parametrize("number", [errno.EPERM, errno.EIO, errno.EMFILE, errno.EBUSY, errno.EISDIR, errno.ENOTEMPTY])
def test_what_the_system_refuses_is_no_bug(number: int) -> None:
    status, todo = cli._advised(OSError(number, "", "name"))
    assert status == 3 and todo


def test_a_full_disk_says_what_to_do(workspace: Workspace, kpt: Kpt) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "kpatch_tool", "list", "--json"],
            cwd=workspace.root,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 3
    assert done.stderr == b"kpt: no space left on device; free some space and run the command again\n"


def test_a_limit_of_the_size_of_files_says_what_to_do(workspace: Workspace, kpt: Kpt) -> None:
    mail = workspace.root / "one.patch"
    mail.write_text(patch_text("[PATCH] one", ""))
    limited = ["prlimit", "--fsize=0", sys.executable, "-m", "kpatch_tool", "import", str(mail)]
    done = subprocess.run(limited, cwd=workspace.root, capture_output=True, check=False)
    assert done.returncode == 3
    told = rb"kpt: \S+: cannot write: file too large; raise your limit .*\(ulimit -f\) and run the command again\n"
    assert re.fullmatch(told, done.stderr)


def test_a_file_in_the_place_of_a_directory(workspace: Workspace, kpt: Kpt) -> None:
    (workspace.root / "file").touch()
    for place in ("file", "file/below", "/proc/no-such"):
        assert re.fullmatch(r"kpt: \S+: cannot be a workspace: .*\n", kpt("init", place, status=2).err)
    mail = workspace.root / "one.patch"
    mail.write_text(patch_text("[PATCH] one", ""))
    shutil.rmtree(workspace.state, ignore_errors=True)
    workspace.state.touch()
    assert re.fullmatch(r"kpt: \S*/\.kpt/locks: not a directory; move .*\n", kpt("import", mail, status=3).err)


def test_patch_files_by_hand_are_a_series(workspace: Workspace, kpt: Kpt) -> None:
    """Without a series.toml; a series of the same name is not hidden by a directory where the command runs."""
    by_hand = workspace.series / "by-hand"
    by_hand.mkdir()
    (by_hand / "0001.patch").write_text(patch_text("[PATCH 1/2] one", ""))
    (by_hand / "0002.patch").write_text(patch_text("[PATCH 2/2] two", ""))
    assert kpt("list").out.split() == ["by-hand", "2", "intact", "one"]
    subjects = [row["subject"] for row in kpt("show", "by-hand", "--json").json["patches"]]
    assert subjects == ["one", "two"]
    elsewhere = workspace.root / "elsewhere"
    (elsewhere / "by-hand").mkdir(parents=True)
    assert kpt("show", "by-hand", cwd=elsewhere).out == kpt("show", "by-hand").out


def test_a_directory_that_is_no_series(workspace: Workspace, kpt: Kpt) -> None:
    (workspace.series / "empty").mkdir()
    failed = kpt("show", "empty", status=2).err
    assert "series/empty: there is no patch in it" in failed
    assert len(failed.splitlines()) == 1
    for name in ("x y", "a..b", "x\ny"):  # the name becomes a branch's
        (workspace.series / name).mkdir()
        (workspace.series / name / "0001.patch").write_text(patch_text("[PATCH] one", ""))
        failed = kpt("apply", f"series/{name}", status=2).err
        assert "not a name for a series" in failed
        assert "without .. in it" in failed
        assert len(failed.splitlines()) == 1
    shown = kpt("list").out.splitlines()
    assert [line.split("  ")[0] for line in shown] == ["a..b", "x\\x0ay", "x y"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["diff"], "kpt: diff: missing argument 'A'; see `kpt diff -h`"),
        (["nosuch"], "kpt: no such command 'nosuch'; see `kpt -h`"),
        (["tree", "add"], "kpt: tree add: missing argument 'NAME'; see `kpt tree add -h`"),
        (["import", "a@b.c", "--timeout", "nan"], "kpt: import: invalid value for '--timeout': nan is no number"),
        (["import", "a@b.c", "--timeout", "inf"], "kpt: import: invalid value for '--timeout': inf is not in"),
        (["show", "x", "--patch", "z"], "kpt: show: invalid value for '--patch': 'z' is not a valid int"),
        (
            ["bisect", "s", "--warning", "--json"],
            "kpt: bisect: option '--warning' requires an argument, and '--json' lo",
        ),
        (["test", "s", "--test", "--each"], "kpt: test: option '--test' requires an argument, and '--each' looks like"),
        (
            ["results", "--tree", "--json"],
            "kpt: results: option '--tree' requires an argument, and '--json' looks like",
        ),
        (
            ["tree", "add", "t", "--ref", "--force"],
            "kpt: tree add: option '--ref' requires an argument, and '--force' ",
        ),
        (["apply", "--tree"], "kpt: apply: option '--tree' requires an argument; see `kpt apply -h`"),
        (["results", "--kind", "run", "prune", "--pretend"], "kpt: results: the options before prune are those of the"),
        (["results", "--json", "show", "1"], "kpt: results: the options before show are those of the list; see `kpt "),
        (["results", "--status", "maybe"], "kpt: results: invalid value for '--status': 'maybe' is not one of"),
        (["index", ""], "kpt: the name of a source is empty; give a mailbox"),
        (["suite", "remove", "kpt-guest"], "kpt: kpt-guest: this suite is kpt's own, it stays as it is; give another"),
        (["undo", "nope"], "kpt: nope: no such series"),
        (["show", "--patch=--json"], "kpt: show: invalid value for '--patch': '--json' is not a valid int"),
        (["show", "--", "--patch", "--json"], "kpt: show: got unexpected extra argument"),
    ],
)
def test_what_is_typed_wrong_is_said_in_one_line(workspace: Workspace, kpt: Kpt, words: list[str], said: str) -> None:
    done = kpt(*words, status=2)
    assert done.out == ""
    assert done.err.startswith(said)
    assert done.err.count("\n") == 1


_SOURCES = (("tree", "add", "t", "--git"), ("tree", "add", "t", "--dir"), ("tree", "add", "t", "--tarball"))


@pytest.mark.parametrize("words", [*_SOURCES, ("suite", "add", "s", "--dir"), ("init",), ("show",), ("import",)])
def test_names_that_the_system_refuses_are_the_users_input(
    workspace: Workspace, kpt: Kpt, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for name in ("loop", "a" * 5000, "a/" * 3000):
        done = kpt(*words, name, status=2)
        assert done.out == "" and done.err.count("\n") == 1


@pytest.mark.parametrize("words", [("list",), ("init",), ("doctor",), ("index", "x"), ("import", "x")])
def test_in_a_directory_that_is_gone(workspace: Workspace, words: tuple[str, ...]) -> None:
    command = [
        "sh",
        "-c",
        'mkdir gone && cd gone && rmdir ../gone && exec "$@"',
        "sh",
        sys.executable,
        "-m",
        "kpatch_tool",
    ]
    done = subprocess.run([*command, *words], cwd=workspace.root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("this directory was removed: go to another and run the command again\n")
    assert done.stderr.count("\n") == 1


def test_where_no_series_is_named_the_one_applied_last_is_meant(workspace: Workspace, kpt: Kpt) -> None:
    for command in ("show", "deps", "restore", "base", "apply", "run"):
        assert kpt(command, status=2).err.startswith("kpt: no series was applied yet; name one")
    for name in ("one", "two"):
        (workspace.series / name).mkdir()
        (workspace.series / name / "0001.patch").write_text(patch_text(f"[PATCH] {name}", "words\n"))
    kpt("apply", "two")
    kpt("apply", "one")
    assert "one: 1 patch" in kpt("show").out
    assert kpt("deps").out.startswith("1/1 one")
    assert "branch kpt/one" in kpt("apply").out


def test_of_many_series_those_are_named_that_are_most_like_the_one_asked_for(workspace: Workspace, kpt: Kpt) -> None:
    for number in range(30):
        (workspace.series / f"s{number:02}").mkdir()
        (workspace.series / f"s{number:02}" / "0001.patch").write_text(patch_text("[PATCH] one", "words\n"))
    (workspace.series / "s29").rename(workspace.series / "dirty-log")
    line = kpt("show", "dirty-lock", status=2).err
    assert line == "kpt: dirty-lock: no such series; there is: dirty-log, and 29 more (`kpt list`)\n"
