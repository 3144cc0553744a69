"""Diffs read loosely: a mail program broke, joined or changed their lines.

`loose` reads the diff as far as its grammar reaches; `fitting` finds the place of each hunk and says what every line is
(`fit_search`; `fits`: the values); `plans` puts the hunks of a file together; `undoing` says what a line was before
(`tabs`: that became blanks); `written` gives the file, and `telling` says in words what was done.
"""
