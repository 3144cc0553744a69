"""Messages of one source in; its postings out: the patches, cover and replies of each, and how they go together.

`gathering.gather` groups them (`placing`: one patch), `rerolls` and `topics` join revisions, `choosing` picks the one
that is imported. The rules are told in docs/series.md.
"""
