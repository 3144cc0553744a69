"""The sandbox of builds: what a stranger's Makefile tries, and what comes of it. Nothing here is simulated."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kpatch_tool.errors import MachineError
from kpatch_tool.system import leftovers, limits, process, sandbox
from kpatch_tool.system.limits import Limits, descendants
from kpatch_tool.system.sandbox import Room
from kpatch_tool.workspace import Workspace
from tests.conftest import REPO_ROOT, Kpt, git

MIB = 1 << 20
FLOOD = "yes $$(head -c 60000 /dev/zero | tr '\\0' x)"
PLAIN = Limits(memory=2048 * MIB, tasks=60, written=4096 * MIB, spare=1 * MIB, output=1 * MIB, seconds=60)

works = pytest.mark.skipif(bool(sandbox.missing()), reason=sandbox.missing() or "works")


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """The one directory that may be written."""
    path = tmp_path / "room"
    path.mkdir()
    return path


def shut_in(script: str, room: Path, limits: Limits = PLAIN, **env: str) -> tuple[process.Finished, str]:
    """A shell script in the sandbox; how it ended, and what it said."""
    log = room.parent / "log"
    words = ["sh", "-c", script]
    environment = {"PATH": os.environ["PATH"], **env}
    done = sandbox.run_logged(words, log, Room((room,)), cwd=room, env=environment, limits=limits)
    return done, log.read_text("utf-8", "replace")


@works
def test_a_place_whose_name_only_begins_like_one_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_SYSTEM", (*sandbox._SYSTEM, str(tmp_path / "opt")))
    room = tmp_path / "optional/room"
    room.mkdir(parents=True)
    done, said = shut_in("pwd; echo written >file; cat file", room)
    assert (done.status, said) == (0, f"{room}\nwritten\n")
    for place in ("opt/gcc", "optional/gcc"):
        (tmp_path / place / "bin").mkdir(parents=True)
        shutil.copy("/bin/true", tmp_path / place / "bin/kpt-cc")
    for place, found in (("opt/gcc", ()), ("optional/gcc", (tmp_path / "optional/gcc",))):
        monkeypatch.setenv("PATH", f"{tmp_path / place / 'bin'}:{os.environ['PATH']}")
        assert sandbox.beyond_system(["kpt-cc"]) == found


def patched(repo: Path, kpt: Kpt, where: Path, lines: str) -> None:
    """The series `evil` on tree `toy`: one patch that puts `lines` before the recipes of the top Makefile."""
    text = (repo / "Makefile").read_text()
    place = "core := init/main.o"
    assert place in text
    kpt("tree", "add", "toy", "--git", repo, "--ref", "main")
    git("checkout", "-qb", "work", cwd=repo)
    (repo / "Makefile").write_text(text.replace(place, f"{lines}\n{place}"))
    git("commit", "-qam", "harmless", cwd=repo)
    git("format-patch", "-q", "-o", where / "mails", "main..work", cwd=repo)
    kpt("import", where / "mails", "--name", "evil")
    kpt("apply", "evil", "--tree", "toy")


@pytest.fixture
def listener() -> Iterator[tuple[int, list[object]]]:
    """A port of this machine, and who called there."""
    callers: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, caller = server.accept()
                except OSError:
                    return
                callers.append(caller)
                connection.close()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1], callers
        server.shutdown(socket.SHUT_RDWR)


@works
def test_a_hostile_makefile_reaches_nothing(
    toy_repo: Path, kpt: Kpt, workspace: Workspace, sealed: Path, listener: tuple[int, list[object]]
) -> None:
    """It writes to the home directory, the tree and the workspace, reads a key, calls out, leaves a daemon."""
    tmp_path = workspace.root
    port, callers = listener
    (sealed / ".ssh").mkdir()
    (sealed / ".ssh/id_ed25519").write_text("SECRET-KEY\n")
    tree = workspace.state / "worktrees/toy"
    call = f"python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}), 5)'"
    tries = [
        f"echo pwned > {sealed}/.bashrc",
        f"cat {sealed}/.ssh/id_ed25519",
        f"ls -d {sealed} {tmp_path}/mails {workspace.series}",
        f"echo pwned >> {tree}/init/main.c",
        f"echo pwned > {workspace.root}/kpt.toml",
        "echo \"environment: $$(env | tr '\\n' ' ')\"",
        "echo pwned > /usr/pwned",
        "ls /proc | grep -c '^[0-9]*$$' | sed 's/^/processes: /'",
        call,
        "(setsid sleep 1234.75 >/dev/null 2>&1 &)",
    ]
    shell = "; ".join(f"({one}) 2>&1" for one in tries)
    patched(toy_repo, kpt, tmp_path, f"$(info $(shell {shell}))")
    marker = (workspace.root / "kpt.toml").read_bytes()
    built = kpt("build", "evil", "--json", env={"KPT_SECRET_TOKEN": "hush", "CARGO_TOKEN": "hush"})
    (state,) = built.json["states"]
    said = Path(state["log"]).read_text()
    assert state["status"] == "ok", "all else still builds"
    assert "Permission denied" in said or "Read-only file system" in said or "nonexistent" in said
    assert not (sealed / ".bashrc").exists()
    assert "SECRET-KEY" not in said
    assert "hush" not in said and "HOME=/nonexistent" in said
    assert str(tmp_path / "mails") not in said.replace(f"'{tmp_path / 'mails'}'", "")
    assert (tree / "init/main.c").read_bytes() == (toy_repo / "init/main.c").read_bytes()
    assert (workspace.root / "kpt.toml").read_bytes() == marker
    assert not Path("/usr/pwned").exists()
    assert "Connection refused" in said and callers == []
    assert max(int(count) for count in re.findall(r"processes: (\d+)", said)) < 20
    assert running("1234.75") == []


def running(word: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if word.encode() in words:
            found.append(path.parent.name)
    return found


@works
def test_links_left_in_the_object_directory_lead_nowhere(
    toy_repo: Path, kpt: Kpt, workspace: Workspace, sealed: Path, tmp_path: Path
) -> None:
    """kpt itself reads and writes outside the sandbox: it does not follow what a Makefile left."""
    (sealed / "key").write_text("SECRET-KEY\n")
    (sealed / "precious").write_text("precious\n")
    names = (".kpt-log", ".kpt-allconfig", "log", ".config.old")
    links = "; ".join(f"ln -sf {sealed}/precious {name}" for name in names)
    patched(toy_repo, kpt, tmp_path, f"$(shell {links})")
    text = (toy_repo / "Makefile").read_text()
    stolen = text.replace(
        'arch/x86/kvm/kvm-amd.ko: arch/x86/kvm/svm.o\n\t@echo "  LD [M]  $@"\n\t@$(LD) -r -o $@ $^\n',
        f"arch/x86/kvm/kvm-amd.ko: arch/x86/kvm/svm.o\n\t@ln -sf {sealed}/key $@\n",
    )
    assert stolen != text
    (toy_repo / "Makefile").write_text(stolen)
    git("commit", "-qam", "steal", cwd=toy_repo)
    git("format-patch", "-q", "-o", tmp_path / "more", "main..work", cwd=toy_repo)
    kpt("import", tmp_path / "more", "--name", "links")
    kpt("apply", "links", "--tree", "toy")
    for _ in range(2):
        built = kpt("build", "links", "--json", status=None)
        modules = [module["path"] for one in built.json["states"] for module in one["modules"]]
        assert "arch/x86/kvm/kvm-amd.ko" not in modules
    assert (sealed / "precious").read_text() == "precious\n"
    kept = [path for path in (workspace.state / "artifacts").rglob("*") if path.is_file()]
    assert kept and not any(b"SECRET-KEY" in path.read_bytes() for path in kept)


@works
def test_what_is_deep_or_huge_in_the_object_directory(
    toy_repo: Path, kpt: Kpt, workspace: Workspace, tmp_path: Path
) -> None:
    """Directories as deep as a path can be, a list of 8 GB that takes no disk, links that go round."""
    deep = "for i in `seq 1500`; do mkdir -p d; cd d; done"
    tries = f"({deep}); mkdir -p x; truncate -s 8G x/.huge.d; mkfifo x/.pipe.d; ln -sf loop loop"
    patched(toy_repo, kpt, tmp_path, f"$(shell {tries})")
    built = kpt("build", "evil", "--json")
    assert [state["status"] for state in built.json["states"]] == ["ok"]
    objects = next((workspace.state / "build").glob("toy-*[!s]"))
    assert (objects / "d/d/d").is_dir() and (objects / "loop").is_symlink()
    kpt("results")
    (objects.with_name(f"{objects.name}.notes") / "record.json").unlink()
    shutil.rmtree(workspace.state / "artifacts")
    assert [one["status"] for one in kpt("build", "evil", "--json").json["states"]] == ["ok"]
    leftovers.remove(objects)
    assert not objects.exists()


@works
@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("bash -c 'bomb() { bomb | bomb & }; bomb; sleep 30'", "it started more than 60 processes"),
        ("i=0; while :; do head -c 20M /dev/zero > f$i; i=$((i+1)); done", "it wrote more than 100 MB"),
        ("yes", "it printed more than 1 MB"),
        (
            "python3 -c 'import time; a = [b\"x\" * 8_000_000 for _ in range(40)]; time.sleep(30)'",
            "more than 200 MB of memory",
        ),
    ],
)
def test_limits_end_it_whole(room: Path, script: str, why: str) -> None:
    limits = replace(PLAIN, written=100 * MIB) if "wrote" in why else PLAIN
    if "memory" in why:  # of all together: the limit of each process is higher
        script, limits = f"{script} & {script} & wait", replace(limits, memory=400 * MIB)
        why = "it used more than 400 MB of memory"
    started = time.monotonic()
    done, _ = shut_in(script, room, limits)
    assert done.stopped == why
    assert done.status != 0
    assert time.monotonic() - started < 30
    if "processes" in why:
        assert not [pid for pid in running("30") if Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x0030\x00"]


@works
def test_limits_hold_on_a_kernel_that_lists_no_children(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One without CONFIG_PROC_CHILDREN."""
    monkeypatch.setattr("kpatch_tool.system.limits._CHILDREN", Path("/proc/thread-self/none"))
    done, _ = shut_in("for i in $(seq 70); do sleep 30 & done; wait", room)
    assert done.stopped == "it started more than 60 processes"
    with subprocess.Popen(["sh", "-c", "sh -c 'sleep 40; :' & sleep 40; :"], start_new_session=True) as process_:
        try:
            deadline = time.monotonic() + 30
            while len(found := {one.pid for one in descendants(process_.pid)}) < 3:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            monkeypatch.undo()
            assert {one.pid for one in descendants(process_.pid)} == found
        finally:
            process.kill_group(process_.pid)


@works
def test_one_process_cannot_take_all_memory(room: Path) -> None:
    script = "python3 -c 'b\"x\" * (3 << 30)' || echo refused"
    done, said = shut_in(script, room)
    assert done.status == 0 and said.endswith("refused\n")


@works
def test_memory_that_looks_like_disk_is_bounded(room: Path) -> None:
    script = (
        "for d in / /dev /dev/shm /run /var/tmp; do touch $d/x && echo wrote $d; done 2>/dev/null;"
        " df --output=size -k /tmp | tail -1"
    )
    _, said = shut_in(script, room)
    assert "wrote" not in said
    assert int(said.split()[-1]) <= 1 << 20


@works
def test_one_file_is_bounded(room: Path) -> None:
    done, said = shut_in("head -c 4M /dev/zero > f || ls -l f", room, replace(PLAIN, file=2 * MIB))
    assert done.status == 0 and f" {2 * MIB} " in said


@works
def test_limits_of_the_user_that_are_lower_hold(room: Path) -> None:
    """Nobody may raise those, so that prlimit(1) refused to start anything."""
    script = (
        "import sys; from pathlib import Path; from kpatch_tool.system import sandbox\n"
        "print(sandbox.missing() or 'works')\n"
        "room = Path(sys.argv[1]); log = room / 'log'\n"
        "inside = 'prlimit --fsize --nproc --as --output HARD --noheadings'.split()\n"
        "sandbox.run_logged(inside, log, sandbox.Room((room,)), cwd=room, env={})\n"
        "print(log.read_text())"
    )
    low = ["prlimit", "--fsize=1048576", "--nproc=900", "--as=1073741824"]
    done = subprocess.run([*low, sys.executable, "-c", script, room], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["works", "1048576", "900", "1073741824"]


@works
def test_it_is_nobody_and_the_first_to_go(room: Path) -> None:
    _, said = shut_in("id -u; cat /proc/self/oom_score_adj; cat /proc/self/setgroups", room)
    user, score, _ = said.split()
    assert score == "1000"
    assert user == str(sandbox.BUILDER if os.geteuid() == 0 else os.geteuid())


@works
def test_it_stands_back_from_other_sessions(room: Path) -> None:
    mine = os.nice(0)  # the tests may be run with nice, too
    for _ in range(3):  # the kernel refuses the second for a moment
        _, told = shut_in("nice; cat /proc/self/autogroup 2>/dev/null", room, replace(PLAIN, nice=7))
        own, *group = told.split("\n", 1)
        assert int(own) == min(mine + 7, 19)
        if Path("/proc/self/autogroup").exists():
            assert group[0].rstrip().endswith("nice 7"), "its own value counts among its own processes only"
    _, told = shut_in("nice", room, replace(PLAIN, nice=0))
    assert int(told) == mine


@works
def test_what_the_machine_has_left_is_a_limit(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a machine that says it has little left, since none can be brought to that here."""
    bounds = replace(PLAIN, spare=512 * MIB, written=1 << 50)
    monkeypatch.setattr(limits, "memory", lambda: (100 * MIB, 8 << 30))
    done, _ = shut_in("sleep 30", room, bounds)
    assert done.stopped == "only 100 MB of the machine's memory are left"
    monkeypatch.undo()
    left = iter([600 * MIB, 500 * MIB])
    monkeypatch.setattr(limits, "_free_disk", lambda place: (next(left, 500 * MIB), 100 << 30))
    done, _ = shut_in("sleep 30", room, bounds)
    assert done.stopped == "only 500 MB of disk are left"


@works
def test_what_went_beyond_a_limit_is_no_answer(toy_repo: Path, kpt: Kpt, workspace: Workspace, tmp_path: Path) -> None:
    """Neither a finding about the series nor remembered: another machine, or later, it may do."""
    text = (toy_repo / "Makefile").read_text()
    patched(toy_repo, kpt, tmp_path, f"$(if $(filter %.ko bzImage modules,$(MAKECMDGOALS)),$(shell {FLOOD} >&2))")
    assert text != (toy_repo / "Makefile").read_text()
    for _ in range(2):
        (state,) = kpt("build", "evil", "--json", status=3).json["states"]
        assert (state["status"], state["cached"]) == ("infra", False)
        assert "it printed more than 256 MB" in state["why"]


@works
def test_it_ends_with_its_time(room: Path) -> None:
    done, _ = shut_in("setsid sleep 987.5 & sleep 987.5", room, replace(PLAIN, seconds=1))
    assert done.timed_out
    assert running("987.5") == []


@works
def test_it_ends_with_kpt(room: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from kpatch_tool.system import sandbox; room = Path(sys.argv[1]);"
        "sandbox.run_logged(['sh', '-c', 'setsid sleep 876.5 & touch started; sleep 876.5'], room.parent / 'log',"
        " sandbox.Room((room,)), cwd=room, env={'PATH': '/usr/bin:/bin'})"
    )
    with subprocess.Popen([sys.executable, "-c", code, room], cwd=Path(__file__).parents[2]) as kpt:
        deadline = time.monotonic() + 30
        while not (room / "started").exists() or len(running("876.5")) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        kpt.kill()
    while running("876.5"):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_is_guarded_may_be_interrupted(tmp_path: Path) -> None:
    """A script that ends a server of its own with SIGINT, say; a shell's "&" has that ignored. The name's "=" is
    there because env(1) reads such a one as a variable."""
    script = tmp_path / "a=b"
    script.write_text(
        f"#!{sys.executable}\nimport signal as s, sys\nprint(s.SIG_IGN in map(s.getsignal, (2, 3)), *sys.argv[1:])\n"
    )
    script.chmod(0o755)
    done = process.run(sandbox.guarded([str(script), "an argument"]))
    assert done.stdout == b"False an argument\n"


def test_an_old_env_guards_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "env").write_text("#!/bin/sh\nexit 125\n")
    (tmp_path / "env").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    sandbox._env_knows_signals.cache_clear()
    try:
        assert process.run(sandbox.guarded(["echo", "said"])).stdout == b"said\n"
    finally:
        sandbox._env_knows_signals.cache_clear()


@works
def test_no_terminal_inside(room: Path) -> None:
    """Who can open it could type commands into the shell that kpt was started from (TIOCSTI)."""
    code = (
        "import sys; from pathlib import Path; from kpatch_tool.system import sandbox; room = Path(sys.argv[1]);"
        "open('/dev/tty').close(); print('the control', flush=True);"
        "sandbox.run_logged(['sh', '-c', 'echo tried; : < /dev/tty && echo reached'], room.parent / 'log',"
        " sandbox.Room((room,)), cwd=room, env={'PATH': '/usr/bin:/bin'})"
    )
    here, there = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", code, room],
        cwd=REPO_ROOT,
        stdin=there,
        stdout=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        check=True,
    )
    for end in (here, there):
        os.close(end)
    said = (room.parent / "log").read_text()
    assert done.stdout == b"the control\n"
    assert "tried" in said and "reached" not in said


@works
def test_no_namespaces_inside(room: Path) -> None:
    if not sandbox._trial(os.environ["PATH"]).way.stricter:
        pytest.skip("this bubblewrap is older than 0.8")
    done, _ = shut_in("unshare --user true", room)
    assert done.status != 0


def test_a_machine_without_says_what_to_do(
    toy_repo: Path, kpt: Kpt, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(sandbox.VARIABLE, raising=False)
    patched(toy_repo, kpt, tmp_path, "# nothing")
    tools = tmp_path / "tools"
    tools.mkdir()
    for directory in (Path("/usr/bin"), Path("/bin")):
        for program in directory.iterdir():
            if program.name != "bwrap" and not (tools / program.name).is_symlink():
                (tools / program.name).symlink_to(program)
    without = {"PATH": str(tools)}
    refused = kpt("build", "evil", env=without, status=3).err
    assert refused.splitlines()[-1] == (
        "kpt: builds run in a sandbox, and bubblewrap is not installed (`kpt doctor --install`); let it work, or build "
        "with --no-sandbox: the patches' Makefiles may then do all that you may"
    )
    (tools / "bwrap").write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n")
    (tools / "bwrap").chmod(0o755)
    refused = kpt("build", "evil", env=without, status=3).err
    assert "does not let bwrap make its namespaces (bwrap: No permissions to create new namespace)" in refused
    assert kpt("build", "evil", "--no-sandbox", env=without, status=0).out
    assert kpt("build", "evil", "--base", env={**without, sandbox.VARIABLE: "1"}, status=0).out


def test_what_is_no_plain_file(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "file").write_text("x")
    (inside / "link").symlink_to("file")
    (tmp_path / "secret").write_text("x")
    (inside / "out").symlink_to("../secret")
    (inside / "up").symlink_to("..")
    (inside / "loop").symlink_to("loop")
    os.mkfifo(inside / "pipe")
    assert sandbox.plain(inside, inside / "file") and sandbox.plain(inside, inside / "link")
    for name in ("out", "up", "up/secret", "loop", "pipe", "nothing", "."):
        assert not sandbox.plain(inside, inside / name), name
    with (inside / "huge").open("wb") as file:
        file.truncate(3 << 30)
    assert not sandbox.plain(inside, inside / "huge")


def test_where_a_compiler_lies_is_shown_but_never_the_home(sealed: Path, tmp_path: Path) -> None:
    for place in (tmp_path / "cross/bin", sealed / "bin", sealed / "x/bin", tmp_path / "lone"):
        place.mkdir(parents=True)
        (place / "gcc").write_text("#!/bin/sh\n")
        (place / "gcc").chmod(0o755)
    assert sandbox.beyond_system(["gcc", "nothing-of-that-name"]) == ()
    found = sandbox.beyond_system([str(p / "gcc") for p in (tmp_path / "cross/bin", sealed / "bin", sealed / "x/bin")])
    assert found == (tmp_path / "cross", sealed / "bin", sealed / "x")
    assert sandbox.beyond_system([str(tmp_path / "lone/gcc")]) == (tmp_path / "lone",)


def test_unusable_sandbox_is_a_machine_error(monkeypatch: pytest.MonkeyPatch, room: Path) -> None:
    monkeypatch.delenv(sandbox.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(room))
    with pytest.raises(MachineError, match="bubblewrap is not installed"):
        shut_in("true", room)
