"""This machine as kpt uses it: files that appear whole or not at all, locks, child processes, the sandbox.

In go paths, arguments and functions to run; out come finished writes and finished runs. Nothing here knows what a
workspace, a series or a kernel is.
"""
