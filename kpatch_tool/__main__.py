"""The program `kpt`, and `python -m kpatch_tool`."""

from __future__ import annotations

import gc
import signal

_ALLOCATIONS = 100_000  # between two collections of garbage; Python's 700 make loading the program a tenth slower


def run() -> None:
    """Start the command line."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python's own prints a traceback; the command line sets its own
    gc.set_threshold(_ALLOCATIONS)
    from kpatch_tool.cli import main

    main()


if __name__ == "__main__":
    run()
