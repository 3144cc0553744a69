"""`python -m kpatch_tool`"""

from __future__ import annotations

from kpatch_tool.cli import main

if __name__ == "__main__":
    main()
