"""Patches by somebody who means harm, and some that only look like it. The tree they are for is `TREE`."""

from __future__ import annotations

from tests.mail_fixtures import Mail, mbox

# Path -> content; a link where it begins with "-> ".
TREE = {"mm/f.c": "a\nb\nc\n", "mm/deep/g.c": "g\n", "link": "-> mm", "Makefile": "all:\n"}


def new(path: str, *lines: str, mode: str = "100644") -> str:
    """A file that a patch creates. A path that holds a backslash is written in quotes, as git's C-style escapes."""
    lines = lines or ("x",)
    unended = "\\ No newline at end of file\n" if mode in ("120000", "160000") else ""
    old, now = (f'"a/{path}"', f'"b/{path}"') if "\\" in path else (f"a/{path}", f"b/{path}")
    body = "".join(f"+{line}\n" for line in lines)
    head = f"diff --git {old} {now}\nnew file mode {mode}\n--- /dev/null\n+++ {now}\n"
    return f"{head}@@ -0,0 +1,{len(lines)} @@\n{body}{unended}"


def link(path: str, target: str) -> str:
    return new(path, target, mode="120000")


def gone(path: str) -> str:
    lines = TREE[path].splitlines()
    body = "".join(f"-{line}\n" for line in lines)
    head = f"diff --git a/{path} b/{path}\ndeleted file mode 100644\n--- a/{path}\n+++ /dev/null\n"
    return f"{head}@@ -1,{len(lines)} +0,0 @@\n{body}"


def modes(path: str, old: str, now: str) -> str:
    return f"diff --git a/{path} b/{path}\nold mode {old}\nnew mode {now}\n"


def renamed(old: str, now: str) -> str:
    return f"diff --git a/{old} b/{now}\nsimilarity index 100%\nrename from {old}\nrename to {now}\n"


def retargeted(path: str, old: str, now: str) -> str:
    end = "\\ No newline at end of file\n"
    return f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-{old}\n{end}+{now}\n{end}"


def series(*diffs: str) -> bytes:
    """An mbox of a series of these diffs."""
    total = len(diffs)
    return mbox(
        *(
            Mail(f"[PATCH {number}/{total}] do {number}", f"Why.\n---\n{diff}-- \n2.39\n", f"p{number}", minute=number)
            for number, diff in enumerate(diffs, 1)
        )
    )


# name -> (the diffs of the series, a part of the reason). Many are of git's own tests: t4139-apply-escape,
# t7450-bad-git-dotfiles, t1014-read-tree-confusing, t0060-path-utils.
REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "dotdot": ((new("../x"),), "'..'"),
    "dotdot twice": ((new("../../x/y"),), "'..'"),
    "dotdot inside": ((new("mm/../../x"),), "'..'"),
    "dotdot renamed to": ((renamed("mm/f.c", "../f.c"),), "'..'"),
    "dotdot removed": ((gone("Makefile").replace("Makefile", "../x"),), "'..'"),
    "absolute": ((new("x").replace("a/x", "/etc/x").replace("b/x", "/etc/x"),), "/etc/x"),
    "absolute in a plain diff": (("--- /etc/x\n+++ /etc/x\n@@ -1 +1 @@\n-a\n+b\n",), "/etc/x"),
    ".git": ((new(".git/hooks/post-checkout"),), ".git"),
    ".GIT": ((new("mm/.GiT/config"),), ".git"),
    "git~1": ((new("git~1/config"),), ".git"),
    "GIT~2": ((new("GIT~2/config"),), ".git"),
    ".git. on NTFS": ((new(".git./config"),), ".git"),
    ".git and a blank on NTFS": ((new(".git /config"),), ".git"),
    "a stream of .git on NTFS": ((new(".git::$INDEX_ALLOCATION/config"),), "colon"),
    ".git with a joiner, on HFS+": ((new(".g\u200cit/config"),), "invisible"),
    ".git with a mark before it": ((new("\ufeff.git/config"),), "invisible"),
    "the same quoted": ((new(".gi\\342\\201\\257t/config"),), "invisible"),
    "a backslash": ((new("..\\\\x"),), "backslash"),
    ".git and a backslash": ((new(".git\\\\config"),), "backslash"),
    "a drive": ((new("C:/x"),), "colon"),
    "a stream": ((new("mm/f.c:x"),), "colon"),
    "NUL": ((new("a\\000b"),), "control"),
    "escapes": ((new("a\\033[31mb"),), "control"),
    "C1": ((new("a\\302\\233b"),), "control"),
    "a line end": ((new("a\\nb"),), "control"),
    "another direction": ((new("a\u202ec.h"),), "invisible"),
    "a blank first": ((new(" mm/x"),), "blank"),
    "a blank last": ((new("mm /x"),), "blank"),
    "a device": ((new("mm/NUL"),), "device"),
    "another device": ((new("com1"),), "device"),
    "a long name": ((new("a" * 256),), "255 bytes"),
    "a long path": ((new("/".join(["abc"] * 1200)),), "4095 bytes"),
    "a submodule": ((new("sub", "Subproject commit " + "1" * 40, mode="160000"),), "submodule"),
    "a file becomes a submodule": ((modes("mm/f.c", "100644", "160000"),), "submodule"),
    "a directory's mode": ((new("x", mode="040000"),), "directory"),
    "a pipe": ((new("x", mode="010644"),), "named pipe"),
    "too deep": ((new("a/" * 101 + "x"),), "through more than 100 directories"),
    "a disk": ((new("x", mode="060644"),), "block device"),
    "a mode that is none": ((new("x", mode="999999"),), "a mode that is none"),
    "setuid": ((new("x", mode="104755"),), "104755"),
    "setgid later": ((modes("mm/f.c", "100644", "102755"),), "102755"),
    "sticky": ((new("x", mode="101644"),), "101644"),
    "a socket": ((new("x", mode="140644"),), "socket"),
    "a file becomes a link": ((modes("mm/f.c", "100644", "120000"),), "becomes a symbolic link"),
    "a link out": ((link("l", "/etc/passwd"),), "out of the tree"),
    "a link up": ((link("mm/l", "../../x"),), "out of the tree"),
    "a link behind a link": ((link("l", "link/../../x"),), "out of the tree"),
    "a link to .git": ((link("mm/l", "../.git/config"),), "into .git"),
    "a link for settings": ((link(".gitmodules", "mm/f.c"),), "settings"),
    "a link for attributes": ((link("mm/.gitattributes", "f.c"),), "settings"),
    "a link for names": ((link(".mailmap", "mm/f.c"),), "settings"),
    "a link nowhere": ((link("l", "a\x1b[2J"),), "no plain path"),
    "a link turned": ((retargeted("link", "mm", "/etc"),), "out of the tree"),
    "through a link of the patch": ((link("l", "mm") + new("l/y"),), "symbolic link"),
    "through a link made later": ((new("l/y") + link("l", "mm"),), "directory"),
    "through a link of the series": ((link("l", "mm"), new("l/y")), "symbolic link"),
    "through a link of the tree": ((new("link/y"),), "symbolic link"),
    "a change through a link": (
        ("diff --git a/link/f.c b/link/f.c\n--- a/link/f.c\n+++ b/link/f.c\n@@ -1 +1 @@\n-a\n+z\n",),
        "link/f.c",
    ),
    "a file for a link": ((gone("mm/f.c") + link("mm", "/etc"), new("mm/passwd")), "out of the tree"),
    "a rename through a link": ((link("l", "mm"), renamed("mm/f.c", "l/z.c")), "symbolic link"),
    "a rename over a directory": ((renamed("mm/f.c", "mm/deep"),), "directory"),
    "a rename over a file": ((renamed("mm/f.c", "Makefile"),), "exists"),
    "a directory's name": ((new("mm"),), "directory"),
    "below a file": ((new("mm/f.c/y"),), "is a file"),
    "lines that are not there": (
        ("diff --git a/mm/f.c b/mm/f.c\n--- a/mm/f.c\n+++ b/mm/f.c\n@@ -1,999999999 +1,999999999 @@\n-a\n+z\n",),
        "cut off, or wrong counts",
    ),
}  # fmt: skip

# What may be applied, and becomes what `git apply` makes of it.
HARMLESS: dict[str, str] = {
    "a device's name with an extension": new("mm/aux.c"),
    "dots": new(".../x"),
    "blanks inside": new("a b/c  d"),
    "another mode bit": new("x", mode="100664"),
    "may be run": new("x.sh", mode="100755"),
    "a link beside": link("mm/l", "f.c"),
    "a link up and down": link("mm/deep/l", "../../Makefile"),
    "a file becomes a directory": gone("Makefile") + new("Makefile/x"),
    "letters of the world": new("mm/\u00e9\u6f22"),
}
