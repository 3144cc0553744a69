"""Entries of Documentation/ABI, whose texts stand in one column, and what their lines say of other lines."""

from __future__ import annotations

from kpatch_tool.diff.blob import blob_id
from kpatch_tool.restore.damaged import parse_damaged, squeeze
from kpatch_tool.restore.styled import Restoration, restore_file

PATH = "Documentation/ABI/testing/sysfs-class-thing"
ENTRIES = """What:\t\t/sys/class/thing/thingX/speed
Date:\t\tMay 2021
KernelVersion:\t5.13
Contact:\tJane Doe <jane@example.org>
Description:\tThe speed in km/h. The thing takes some time to reach
\t\tit, which is told by the next file.

What:\t\t/sys/class/thing/thingX/delay
Date:\t\tMay 2021
KernelVersion:\t5.13
Contact:\tJane Doe <jane@example.org>
Description:
\t\tHow long the thing takes. Possible values are:

\t\t0: not at all
\t\t1: a second
Users:\t\tthingd
"""


def created(text: str) -> Restoration:
    """A new file of that text after its white space was squeezed."""
    after = text.encode()
    lines = after.split(b"\n")[:-1]
    header = f"diff --git a/{PATH} b/{PATH}\nnew file mode 100644\nindex 0000000..{blob_id(after)[:12]}\n"
    header += f"--- /dev/null\n+++ b/{PATH}\n@@ -0,0 +1,{len(lines)} @@\n"
    shown = [*header.encode().split(b"\n")[:-1], *(b"+" + line for line in lines)]
    (file,) = parse_damaged(b"\n".join(map(squeeze, shown)) + b"\n")
    return restore_file(file, b"")


def test_texts_stand_in_the_usual_column() -> None:
    result = created(ENTRIES)
    assert result.proven
    assert result.post == ENTRIES.encode()


def test_an_author_who_writes_blanks_does_so_throughout() -> None:
    text = ENTRIES.expandtabs(8)
    assert created(text).post == text.encode()
