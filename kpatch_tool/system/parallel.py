"""Work done by several processes at once, or by threads beside their user, with the results in the order of the
tasks."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import islice
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

from kpatch_tool.errors import KptError, MachineError
from kpatch_tool.system import process, signals

T = TypeVar("T")
R = TypeVar("R")
_AHEAD = 2  # tasks that a worker is given before its first result is taken
_MOST = 8
_POLL_SECONDS = 0.05


def processes() -> int:
    """How many processes of kpt's own are worth starting (eight at most)."""
    return min(_MOST, process.processors())


def in_order(function: Callable[[T], R], tasks: Iterable[T], count: int) -> Iterator[R]:
    """`function` of every task, by `count` processes (1: by this one). A few tasks and results are held at a time.

    `function`, tasks and results must be fit for pickle. The workers end when this process does, however it ends: they
    read from a pipe that nobody else holds. Raises what `function` raises of kpt's own errors; MachineError when a
    worker died.
    """
    if count < 2:
        yield from map(function, tasks)
        return
    waiting = iter(tasks)
    with ExitStack() as stack:
        pipes: list[Connection] = []
        for _ in range(count):
            pipes.append(_worker(function, stack, pipes))
        given = taken = 0
        for task in islice(waiting, count * _AHEAD):
            _send(pipes[given % count], task)
            given += 1
        while taken < given:
            pipe = pipes[taken % count]
            result: R = _Results[R].take(pipe)
            for task in islice(waiting, 1):
                _send(pipe, task)
                given += 1
            taken += 1
            yield result


def ahead(function: Callable[[T], R], tasks: Iterable[T], count: int = 1) -> Generator[R, None, None]:
    """`function` of every task in order, done by `count` threads that work on while the caller uses what it was given.

    Raises what `function` raises, in the place of that task's result. Close it (contextlib.closing) where not every
    result may be taken: then it ends as Threads does.
    """
    with Threads(count) as pool:
        futures = [pool.submit(partial(function, task)) for task in tasks]
        for future in futures:
            yield future.result()


class Threads:
    """`count` threads that work in the order given; use it as a context manager.

    When the block is left, by an interruption say, no work is begun any more; the programs that the threads wait for
    are ended (kpatch_tool.system.process), and the threads with them.
    """

    def __init__(self, count: int) -> None:
        self._idents: list[int] = []
        self._pool = ThreadPoolExecutor(count, "kpt", lambda: self._idents.append(threading.get_ident()))
        self._futures: list[Future[Any]] = []

    def submit(self, work: Callable[[], R]) -> Future[R]:
        """Have `work` done; its result to be."""
        future = self._pool.submit(work)
        self._futures.append(future)
        return future

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._end()
        finally:  # an interruption may have come in it, and Python waits at exit for threads that are left
            self._end()

    def _end(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        while not all(future.done() for future in self._futures):
            process.stop(self._idents)
            time.sleep(_POLL_SECONDS)
        process.forget(self._idents)


def _worker(function: Callable[[T], R], stack: ExitStack, others: Iterable[Connection]) -> Connection:
    # A fork starts in no time, but must not be made beside other threads (the progress line has one).
    forks = threading.active_count() == 1
    context = get_context("fork") if forks else get_context("spawn")
    ours, theirs = context.Pipe()
    inherited = (*others, ours) if forks else ()
    child = context.Process(target=_work, args=(function, theirs, inherited), daemon=True)
    # One that came at the fork would run this process's handler in the child, too; Python drops what a handler raises
    # in a hook that runs then; and a child that is spawned must get all that it is told.
    if not forks:
        resource_tracker.ensure_running()  # which lets in what is held back
    with signals.held_back():
        child.start()
        theirs.close()
        stack.callback(child.join)
        stack.callback(child.terminate)
        stack.callback(ours.close)
    return ours


def _send(pipe: Connection, task: object) -> None:
    try:
        pipe.send(task)
    except ConnectionError as error:
        raise _died() from error


def _died() -> MachineError:
    return MachineError("a worker process died", where="kpt", todo="see whether memory ran out")


class _Results(Generic[R]):
    @staticmethod
    def take(pipe: Connection) -> R:
        """The next result of a worker."""
        try:
            answer: tuple[R | None, KptError | OSError | None] = pipe.recv()
        except (EOFError, ConnectionError) as error:
            raise _died() from error
        value, trouble = answer
        if trouble is not None:
            raise trouble
        return cast("R", value)


def _work(function: Callable[[T], R], pipe: Connection, inherited: Iterable[Connection]) -> None:
    """Do tasks until the pipe ends, which it does with this process's parent once nobody else holds the other end."""
    for end in inherited:
        end.close()
    for number in (signal.SIGINT, signal.SIGHUP):  # the parent ends its workers
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signals.let_in()
    while True:
        try:
            task = pipe.recv()
        except (EOFError, ConnectionError):
            return
        try:
            answer: tuple[R | None, KptError | OSError | None] = (function(task), None)
        except (KptError, OSError) as error:
            answer = (None, error)
        try:
            pipe.send(answer)
        except (BrokenPipeError, ConnectionError):
            return
