"""One diff: parse, print, apply to text, compare. Pure: no files, no git, no printing."""
