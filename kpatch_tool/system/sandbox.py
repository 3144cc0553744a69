"""Programs of strangers shut in: make of a patched tree, configure of a suite, and all they start.

A Makefile is a program that runs with the rights of whoever builds. In the sandbox it sees the system's programs and
its sources, all read-only, and the directories it is to write; no home directory, no network, no process but its own.
bubblewrap (bwrap(1)) makes the room out of the kernel's namespaces. Limits hold without control groups, which few users
may write: prlimit(1) sets those of the kernel, and a watch looks at what the room uses together (limits.py). It ends
whole with kpt.

The kernel does not limit root's processes (fork.c, RLIMIT_NPROC), so in root's builds the room is made by root and
used by a user that nobody is.

Where bwrap cannot work the user is told, and may choose to do without (`--no-sandbox`, KPT_NO_SANDBOX=1).
"""

from __future__ import annotations

import os
import resource
import shutil
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kpatch_tool.errors import MachineError
from kpatch_tool.system import leftovers, process
from kpatch_tool.system.limits import GIB, Limits, Watch, default_limits

VARIABLE = "KPT_NO_SANDBOX"
# The user of root's builds: above every range that systemd (its UIDS-GIDS.md), distributions and containers give away.
BUILDER = 1_900_000_000
# Debian Policy 9.2.1 keeps the name of that home free.
_INSIDE = {"HOME": "/nonexistent", "TMPDIR": "/tmp"}
_NO_CCACHE = {"CCACHE_DISABLE": "1"}  # where the caller gives it no directory: it would want one at home
# What compilers, make and scripts are made of. Links among them (merged /usr) stay links.
_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/gnu/store"),
    *("/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d"),
)
_SHUT = ("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try")
_WHOLE = ("--die-with-parent", "--new-session", "--cap-drop", "ALL")
# Since bubblewrap 0.8: no namespaces inside, which keeps much of the kernel out of reach; a bounded /tmp.
_NO_MORE = ("--unshare-user", "--disable-userns")
_BOUNDED = ("--size", str(GIB))
_TO_DROP = ("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP")
_DROP = (
    *("setpriv", "--reuid", str(BUILDER), "--regid", str(BUILDER), "--no-new-privs"),
    *("--inh-caps=-all", "--bounding-set=-all"),
)
_TRIAL_SECONDS = 20.0
# Where the kernel groups processes by session, nice values count only inside of a group, and the group has its own
# (sched(7), "The autogroup feature"). It takes one value in a tenth of a second, from all users together (EAGAIN:
# proc_sched_autogroup_set_nice in kernel/sched/autogroup.c).
_STAND_BACK = (
    "for try in 1 2 3 4 5; do [ -w /proc/self/autogroup ] || break; "
    '{ echo "$0" >/proc/self/autogroup; } 2>/dev/null && break; sleep 0.1; done; exec nice -n "$0" "$@"'
)
_GUARD = 'trap "kill -KILL 0" TERM; "$@" & wait $!'
# What a shell starts with "&" ignores these two (POSIX, 2.11 of the shell's language); only env(1) can take that back.
# By exec: env reads a program's name with "=" in it as a variable.
_DEFAULT_SIGNALS = ("env", "--default-signal=INT,QUIT", "sh", "-c", 'exec "$@"', "sh")


@dataclass(frozen=True, slots=True)
class Room:
    """What a program may write and, besides the system, read: directories or files; and the devices it may use."""

    writable: tuple[Path, ...] = ()
    readable: tuple[Path, ...] = ()
    devices: tuple[Path, ...] = ()


def run_logged(
    argv: Sequence[str],
    log: Path,
    room: Room,
    *,
    cwd: Path,
    env: Mapping[str, str],
    limits: Limits | None = None,
    timeout: float | None = None,
    on_line: Callable[[bytes], None] | None = None,
) -> process.Finished:
    """`process.run_logged` in a sandbox; `env` is all it sees of the environment.

    A program that went beyond its limits was killed, and `stopped` of what is returned says which. Raises MachineError
    where this machine has no sandbox and the user did not choose to do without.
    """
    bounds = limits or default_limits()
    seconds = min(bounds.seconds, timeout or bounds.seconds)
    if not wanted():
        for path in room.writable:
            _take_back(path)
        return process.run_logged(guarded(argv), log, cwd=cwd, env=env, timeout=seconds, on_line=on_line)
    words = command(argv, room, bounds, _entered(room), cwd=cwd)
    watch = Watch(bounds, room.writable)
    return process.run_logged(
        words, log, cwd=cwd, env=_environment(env), timeout=seconds, on_line=on_line, watch=watch, most=bounds.output
    )


def run(argv: Sequence[str], room: Room, *, cwd: Path, env: Mapping[str, str], timeout: float) -> process.Finished:
    """`process.run` in a sandbox, for what reads a stranger's files and ends soon."""
    if not wanted():
        return process.run(argv, cwd=cwd, env=env, timeout=timeout)
    words = command(argv, room, default_limits(), _entered(room), cwd=cwd)
    return process.run(words, cwd=cwd, env=_environment(env), timeout=timeout)


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    return {**env, **_INSIDE, **({} if "CCACHE_DIR" in env else _NO_CCACHE)}


def where_it_can(argv: Sequence[str], room: Room, limits: Limits) -> tuple[str, ...] | None:
    """The words that run `argv` in a room, for what is shut in by other means already; None where there is no sandbox,
    or root's other user could not read what it has to."""
    trial = _trial(os.environ.get("PATH", ""))
    if not wanted() or trial.why or not all(path.exists() for path in room.readable):
        return None
    if trial.way.root and _unreadable(room) is not None:
        return None
    return command(argv, room, limits, trial.way, cwd=Path("/"))


def wanted() -> bool:
    """Whether the user has not chosen to do without."""
    return os.environ.get(VARIABLE, "") in ("", "0")


def require() -> None:
    """Raise MachineError, saying what to do, where a sandbox is wanted and cannot be."""
    if wanted():
        _way()


def missing() -> str:
    """Why this machine has no sandbox, in words; empty where it has one."""
    return _trial(os.environ.get("PATH", "")).why


@dataclass(frozen=True, slots=True)
class Way:
    """How this machine makes a room: whether kpt is root, and whether its bwrap knows the stricter options."""

    root: bool
    stricter: bool


def command(argv: Sequence[str], room: Room, limits: Limits, way: Way, *, cwd: Path) -> tuple[str, ...]:
    """The words that run `argv` in a room."""
    system = [Path(place) for place in _SYSTEM if Path(place).exists()]
    mounts = []
    for parent in _parents((*system, *room.readable, *room.writable)):  # bwrap makes them for root's eyes only
        mounts += ["--perms", "0755", "--dir", str(parent)]
    mounts += [word for place in system for word in _mount(place)]
    for path in room.readable:
        mounts += ["--ro-bind", str(path), str(path)]
    for path in room.writable:
        mounts += ["--bind", str(path), str(path)]
    for path in room.devices:
        mounts += ["--dev-bind", str(path), str(path)]
    # The watch tells of too many processes before the kernel refuses them.
    bounds = (
        f"--as={_allowed(resource.RLIMIT_AS, limits.memory)}",
        f"--nproc={_allowed(resource.RLIMIT_NPROC, limits.tasks * 5 // 4)}",
        f"--fsize={_allowed(resource.RLIMIT_FSIZE, limits.file)}",
        "--core=0",
    )
    files = (
        *("--proc", "/proc", "--dev", "/dev", "--perms", "1777", *(_BOUNDED if way.stricter else ())),
        *("--tmpfs", "/tmp", *mounts),
        *("--remount-ro", "/dev", "--remount-ro", "/"),  # both are memory, which is not to be filled either
    )
    # Its processes are the first to be killed when memory runs out, before any of the user's.
    bounded = ("choom", "-n", "1000", "--", *_standing_back(limits.nice), "prlimit", *bounds, "--", *argv)
    if not way.root:
        alone = _NO_MORE if way.stricter else ("--unshare-user",)
        return ("bwrap", *_SHUT, *_WHOLE, *alone, *files, "--chdir", str(cwd), "--", *bounded)
    # Two rooms: only root can bind what lies below /root, and only another may be kept from more namespaces.
    inner = ("bwrap", *_WHOLE, *_NO_MORE, "--dev-bind", "/", "/", "--chdir", str(cwd), "--")
    entered = inner if way.stricter else ("env", f"--chdir={cwd}")
    groups = ",".join(sorted({str(path.stat().st_gid) for path in room.devices}))
    drop = (*_DROP, *(("--groups", groups) if groups else ("--clear-groups",)))
    return ("bwrap", *_SHUT, *_WHOLE, *_TO_DROP, *files, "--", *drop, *entered, *bounded)


def _allowed(kind: int, most: int) -> int:
    """`most`, or what the user's own limits (ulimit -H) leave of it: nobody may raise those (setrlimit(2))."""
    _, hard = resource.getrlimit(kind)
    return most if hard == resource.RLIM_INFINITY else min(most, hard)


def _standing_back(nice: int) -> tuple[str, ...]:
    return ("sh", "-c", _STAND_BACK, str(nice)) if nice else ()


def beyond_system(programs: Sequence[str]) -> tuple[Path, ...]:
    """Directories that hold those of `programs` (names or paths) that are none of the system's, with what belongs to
    them beside their bin; never the home directory, nor one that it lies in."""
    found = (shutil.which(program) for program in programs)
    places = (Path(path).resolve().parent for path in found if path is not None)
    home = Path.home().resolve()
    return tuple(
        dict.fromkeys(
            place.parent if place.name == "bin" and not home.is_relative_to(place.parent) else place
            for place in places
            if not _shown_to_all(place) and not home.is_relative_to(place)
        )
    )


def guarded(argv: Sequence[str]) -> tuple[str, ...]:
    """`argv`, so started that it dies with all its children when kpt does (where util-linux has setpriv).

    When kpt is killed with no chance to clean up, the kernel sends the shell SIGTERM and it takes all of its process
    group along. Without it make would go on writing into the object directory.
    """
    if shutil.which("setpriv") is None:
        return tuple(argv)
    signals = _DEFAULT_SIGNALS if _env_knows_signals() else ()
    return ("setpriv", "--pdeathsig", "TERM", "--", "sh", "-c", _GUARD, "sh", *signals, *argv)


@cache
def _env_knows_signals() -> bool:
    """GNU coreutils does since 8.31."""
    return shutil.which("env") is not None and process.run([*_DEFAULT_SIGNALS, "true"]).status == 0


def outside(argv: Sequence[str]) -> tuple[str, ...]:
    """`argv` in no room, but by the user who writes in one: for comparing the two in an object directory."""
    return (*_DROP, "--clear-groups", "--", *argv) if _is_real_root() else tuple(argv)


def plain(root: Path, path: Path) -> bool:
    """Whether `path` is a regular file of less than 2 GB that lies in `root`, with all links followed.

    What a stranger's program left may be a link to anything, or a pipe that never ends.
    """
    try:
        real = path.resolve(strict=True)
        found = real.stat()
        return real.is_relative_to(root.resolve()) and stat.S_ISREG(found.st_mode) and found.st_size < 2 * GIB
    except (OSError, RuntimeError):
        return False


def of_system(path: Path) -> bool:
    """Whether `path` is a regular file of the system, which every room shows."""
    try:
        real = path.resolve(strict=True)
        return real.is_file() and any(real.is_relative_to(Path(place).resolve()) for place in _SYSTEM)
    except (OSError, RuntimeError):
        return False


def within(root: Path, path: Path) -> bool:
    """Whether what `path` itself names lies in `root`, all links on the way to it followed: so it may be removed."""
    try:
        return path.parent.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):
        return False


@dataclass(frozen=True, slots=True)
class _Trial:
    way: Way
    why: str


def _way() -> Way:
    """How to make a room here. Raises MachineError where it cannot be."""
    trial = _trial(os.environ.get("PATH", ""))
    if trial.why:
        raise MachineError(
            f"builds run in a sandbox, and {trial.why}",
            todo="let it work, or build with --no-sandbox: the patches' Makefiles may then do all that you may",
        )
    return trial.way


def _entered(room: Room) -> Way:
    """The way to make this room, its directories given to the user who is to write them."""
    way = _way()
    if way.root:
        for path in room.writable:
            try:
                _hand_over(path)
            except OSError as error:
                raise MachineError(
                    f"cannot be given to the user of root's builds: {(error.strerror or 'error').lower()}",
                    where=str(path),
                    todo="move the workspace to another disk, or build with --no-sandbox",
                ) from error
        if secret := _unreadable(room):
            raise MachineError(
                "root's builds run as another user, who cannot read this",
                where=str(secret),
                todo="make it readable for all (umask 022), or build with --no-sandbox",
            )
    return way


def _unreadable(room: Room) -> Path | None:
    """The first path that only its owner may read."""
    for path in room.readable:
        mode = path.stat().st_mode
        needs = 0o005 if stat.S_ISDIR(mode) else 0o004
        if mode & needs != needs:
            return path
    return None


def _hand_over(directory: Path) -> None:
    """Give a directory and all in it to the builder, unless it is the builder's (or root's other builds') already."""
    if directory.stat().st_uid == BUILDER:
        return
    for place, files in leftovers.walk(directory):
        for name in files:
            os.chown(place / name, BUILDER, BUILDER, follow_symlinks=False)
        if place != directory:
            os.chown(place, BUILDER, BUILDER, follow_symlinks=False)
    os.chown(directory, BUILDER, BUILDER)  # last: it says that the rest is done


def _take_back(directory: Path) -> None:
    """What is made here without sandbox is root's, so the whole has to be handed over again."""
    if directory.stat().st_uid == BUILDER:
        os.chown(directory, os.geteuid(), os.getegid())


@cache
def _trial(path: str) -> _Trial:
    """Whether bwrap works here, tried on /bin/true; `path` is the PATH it is looked for in."""
    root = _is_real_root()
    if shutil.which("bwrap", path=path) is None:
        return _Trial(Way(root, False), "bubblewrap is not installed (`kpt doctor --install`)")
    said = ""
    for way in (Way(root, True), Way(root, False)):
        done = process.run(command(["true"], Room(()), default_limits(), way, cwd=Path("/")), timeout=_TRIAL_SECONDS)
        if done.status == 0:
            return _Trial(way, "")
        said = said or done.last_line()
    return _Trial(Way(root, False), f"this machine does not let bwrap make its namespaces ({said})")


def _is_real_root() -> bool:
    """Root of the machine, not of a user namespace, in which root is some user whom limits bind."""
    if os.geteuid() != 0:
        return False
    try:
        rows = [line.split() for line in Path("/proc/self/uid_map").read_text("ascii").splitlines()]
    except OSError:
        return True
    return any(inside == outside == "0" for inside, outside, _ in rows)


def _parents(paths: Sequence[Path]) -> list[Path]:
    """The directories above `paths`, each once, the upper ones first; none of the system's, which are there."""
    above = {parent for path in paths for parent in path.parents}
    return sorted(path for path in above if path != Path("/") and not _shown_to_all(path))


def _shown_to_all(path: Path) -> bool:
    """Whether `path` is one of the system's places or in one: "/opt/gcc", but not "/optional"."""
    return any(path.is_relative_to(place) for place in _SYSTEM)


def _mount(place: Path) -> tuple[str, ...]:
    if place.is_symlink():
        return ("--symlink", str(place.readlink()), str(place))
    return ("--ro-bind", str(place), str(place))
