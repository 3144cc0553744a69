"""The index of a mailbox of any size in; its postings, or the messages of one of them, out (docs/mailboxes.md).

The answers are those of `postings` for the whole mailbox; memory depends on the largest thread only.
"""
