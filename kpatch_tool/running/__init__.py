"""`kpt run`: a series, a tree and suites in; the record of the run and its reports out.

`pipeline` is the order of the stages, told against a protocol; `command` gives it the rooms that do them.
"""
