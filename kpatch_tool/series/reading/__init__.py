"""One mail in; what it says out: its subject's tags, its message, note and diff, as a `Patch`, and what it states.

The text is parted by the rules of git's mailinfo; the diff goes to the reader that the mail's damage calls for.
"""
