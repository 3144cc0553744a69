"""The library that keeps a system call from kernels older than it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

from kpatch_tool.vm.root import build_preload


def test_memfd_create_is_refused_to_programs_it_is_loaded_into(tmp_path: Path) -> None:
    library = build_preload(tmp_path)
    program = "import os, sys\ntry: os.memfd_create('x')\nexcept OSError as error: sys.exit(error.errno)\n"
    run = [sys.executable, "-c", program]
    assert subprocess.run(run, check=False).returncode == 0
    hidden = {**os.environ, "LD_PRELOAD": str(library)}
    assert subprocess.run(run, env=hidden, check=False).returncode == errno.ENOSYS
