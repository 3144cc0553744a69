"""Patch files as text, for the tests of commands."""

from __future__ import annotations

import difflib


def mail(number: int, subject: str, path: str, old: str, new: str, *, total: int = 2) -> str:
    """A patch as git format-patch writes it, as far as kpt reads it."""
    diff = "".join(
        difflib.unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{path}", f"b/{path}")
    )
    return (
        f"From {number:040x} Mon Sep 17 00:00:00 2001\nFrom: A. Thor <a@example.org>\n"
        f"Date: Thu, 15 May 2014 11:20:27 +0300\nSubject: [PATCH {number}/{total}] {subject}\n\n"
        f"For a test.\n\nSigned-off-by: A. Thor <a@example.org>\n---\n"
        f"diff --git a/{path} b/{path}\n{diff}-- \n2.39.5\n\n"
    )


def patch_text(subject: str, words: str) -> str:
    """A patch as a mail, with `words` in its message."""
    return (
        f"From: Jane Doe <jane@example.org>\nSubject: {subject}\nDate: Thu, 17 Apr 2014 09:00:00 +0000\n\n{words}---\n"
        "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n one\n-two\n+three\n"
    )
