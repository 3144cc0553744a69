"""A series in, the files of series/NAME out, and back: written whole or not at all, read as a stranger's."""
