"""The command line: one file a command, imported only when that command is used."""

from __future__ import annotations

import contextlib
import errno
import importlib
import keyword
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType, ModuleType, TracebackType

import typer

from kpatch_tool import __version__
from kpatch_tool.cli import streams
from kpatch_tool.cli.commands import GROUPS, TABLE
from kpatch_tool.cli.values import refuse_swallowed
from kpatch_tool.errors import INPUT, MACHINE, InputError, KptError, MachineError
from kpatch_tool.system import process, signals
from kpatch_tool.text import printable
from kpatch_tool.tree.environment import (
    forget_outer_repository,
    run_no_programs_of_repositories,
    take_words_in_english,
)

# What typer raises for arguments that it does not take: click's UsageError, which typer has under one name or another.
_Usage: type[typer.BadParameter] = typer.BadParameter.__bases__[0]
_COMPLETING = "_KPT_COMPLETE"  # set by the shell's completion (click's protocol)
_PATIENCE = 5.0  # seconds for the clean-up; who interrupts kpt again later than that does not want to wait for it
_SOON = 0.02  # seconds
_FILES = 1 << 16  # some programs, which inherit it, look at every number up to their limit
_TODO = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your quota",
    errno.EFBIG: "raise your limit of the size of a file (ulimit -f)",
    errno.EROFS: "choose a place that can be written",
    errno.EACCES: "check the permissions",
    errno.EPERM: "check the permissions",
    errno.EIO: "check the disk",
    errno.ENOLCK: "move it to a file system with locks",
    errno.EMFILE: "raise your limit of open files (ulimit -n)",
    errno.EBUSY: "end what uses it",
    errno.EISDIR: "move away the directory in the place of a file",
    errno.ENOTEMPTY: "move away what is in that directory",
    errno.ENOTDIR: "move away the file in the place of a directory",
    errno.EEXIST: "move away the file in the place of a directory",
}
_OF_INPUT = {errno.ENAMETOOLONG: "give a shorter name", errno.ELOOP: "see where its links lead"}


def main(argv: Sequence[str] | None = None) -> None:
    """The `kpt` program. Ends with the exit status of the contract: 0 well, 1 finding, 2 input, 3 machine."""
    args = [*(sys.argv[1:] if argv is None else argv)]  # `list` is a command, and a module of this package
    streams.open_what_was_closed()
    streams.take_any_charset()
    _at_ending(_interrupted)
    signals.count_stops()
    _allow_many_files()
    forget_outer_repository()
    run_no_programs_of_repositories()
    take_words_in_english()
    try:
        command = typer.main.get_command(build_app(_wanted(args)))
        refuse_swallowed(command, args)
        sys.exit(command(args=args, prog_name="kpt", standalone_mode=False) or 0)
    except _Usage as error:
        _complain_of_usage(error, " ".join(("kpt", *filter(TABLE.__contains__, args[:1]))))
        sys.exit(error.exit_code)
    except KptError as error:
        _complain(error.line())
        sys.exit(error.exit_status)
    except BrokenPipeError:
        sys.exit(_of_broken_pipe())
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # typer met it first and made it status 1, a finding
            sys.exit(_of_broken_pipe())
        raise
    except OSError as error:
        status, advice = _advised(error)
        if not advice:
            raise
        named = error.filename2 or error.filename  # of a file that is renamed, what it was to be
        place = f"{named}: " if named else ""
        _complain(f"{place}{(error.strerror or 'input/output error').lower()}; {advice} and run the command again")
        streams.drop(sys.stdout)
        sys.exit(status)
    finally:
        streams.drop(sys.stderr)
        sys.excepthook = _crashed  # typer has put its own in the place of what was there before


def _allow_many_files() -> None:
    """As many open files as the user may have: each directory in use is held by one (kpatch_tool.system.lock), and a
    long series has more of them than the usual 1024. Where that is refused, most commands do with what there is."""
    with contextlib.suppress(ValueError, OSError):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _advised(error: OSError) -> tuple[int, str]:
    """The exit status for what the system refused, and what to do; nothing for what is a fault of kpt's own."""
    if todo := _OF_INPUT.get(error.errno or 0):
        return INPUT, todo
    if error.errno == errno.ENOENT and error.filename is None:  # getcwd(3) alone names no file
        return INPUT, "this directory was removed: go to another"
    return MACHINE, _TODO.get(error.errno or 0, "")


def _crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A fault of kpt's own is no finding about the series, which Python's exit status 1 would make it."""
    sys.__excepthook__(kind, error, trace)
    streams.drop(sys.stdout)
    os._exit(MACHINE)


def _of_broken_pipe() -> int:
    """The exit status: all is well where who reads standard output has seen enough (`kpt show | head`). Otherwise a
    program that kpt feeds has ended too soon."""
    enough = streams.is_unread(sys.stdout)
    if not enough:
        _complain(MachineError("a program ended before it had read its input", todo="run the command again").line())
    streams.drop(sys.stdout)
    return 0 if enough else MACHINE


def _at_ending(handler: Callable[[int, FrameType | None], None]) -> None:
    """Have `handler` called at the signals that end kpt."""
    for number in signals.ENDING:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup(1)
            signal.signal(number, handler)


def _interrupted(number: int, frame: FrameType | None) -> None:
    """End as a shell expects (128 + signal). SystemExit passes every clean-up; KeyboardInterrupt would end with 1 in
    typer, which stands for a finding here. Those that come soon after it would end the clean-up."""
    _at_ending(partial(_interrupted_again, time.monotonic()))
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(128 + number))
    sys.unraisablehook = partial(_not_ended, sys.unraisablehook)
    try:
        os.write(2, b"\nkpt: interrupted; the same command goes on from here\n")
    except OSError:  # the terminal has gone: what the clean-up says must not fail either
        streams.silence(2)
    sys.exit(128 + number)


def _interrupted_again(since: float, number: int, frame: FrameType | None) -> None:
    """No SIG_IGN for those that come soon: the programs of the clean-up would inherit that (execve(2))."""
    if time.monotonic() - since > _PATIENCE:
        process.kill_all()
        os._exit(128 + number)


def _not_ended(before: Callable[[sys.UnraisableHookArgs], object], dropped: sys.UnraisableHookArgs) -> None:
    """Python drops what is raised in a finalizer or a hook, also the SystemExit of a signal that came there. Raise it
    once more when that is left: what a signal raises in here is dropped, too."""
    if dropped.exc_type is SystemExit:
        signal.setitimer(signal.ITIMER_REAL, _SOON)
    else:
        before(dropped)


def build_app(wanted: str | None) -> typer.Typer:
    """The application with the command `wanted` in full and every other one as its line of help.

    None loads them all (for the reference).
    """
    app = typer.Typer(
        name="kpt",
        help="Tells a reviewer, with evidence, what every patch of a kernel series does.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name, summary in TABLE.items():
        if wanted is not None and wanted != name:
            app.command(name, help=summary)(_stub)
            continue
        module = importlib.import_module(f"kpatch_tool.cli.{module_name(name)}")
        if _COMPLETING in os.environ:
            _complete(name, module)
        if name in GROUPS:
            app.add_typer(module.app, name=name, help=summary)
        else:
            command: Callable[..., None] = module.command
            app.command(name, short_help=summary)(command)
    return app


def _complete(name: str, module: ModuleType) -> None:
    from kpatch_tool.cli import completion

    if name not in GROUPS:
        completion.attach([module.command])
        return
    own = [module.app.registered_callback] if module.app.registered_callback else []
    completion.attach([one.callback for one in (*own, *module.app.registered_commands)])


def module_name(command: str) -> str:
    """The module below kpatch_tool.cli that holds `command`."""
    return f"{command}_" if keyword.iskeyword(command) else command


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kpt {__version__}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(
        False, "--version", help="Print the version and exit.", is_eager=True, callback=_print_version
    ),
) -> None:
    """Options that need no command."""


def _stub() -> None:
    """Stands in for a command that was not asked for; never runs."""


def _wanted(args: Sequence[str]) -> str | None:
    if _COMPLETING in os.environ:
        from kpatch_tool.cli import completion

        args = completion.typed_words()
    return next((word for word in args if not word.startswith("-")), "")


def _complain_of_usage(error: typer.BadParameter, typed: str) -> None:
    """One line, as for any other input; the help where a command was called without anything. `typed` is the command,
    where the error does not know it."""
    message = error.format_message()
    if "\n" in message:
        error.show()
        return
    command = error.ctx.command_path if error.ctx else typed
    said = message[:1].lower() + message[1:].rstrip(".")
    _complain(InputError(said, where=command.removeprefix("kpt").strip(), todo=f"see `{command} -h`").line())


def _complain(line: str) -> None:
    streams.say(f"kpt: {printable(line)}\n")
