"""What kpt keeps in a workspace to answer from, whichever room it is for: the store's tables, files by their content.

In goes a workspace; out come an open database (.kpt/store.sqlite) and files kept once (.kpt/objects).
"""
