"""Kernel trees: the catalogue, getting a tree, reading and writing git objects, applying, kpt's worktree."""
