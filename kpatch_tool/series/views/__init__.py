"""A series in; what a reader asks of it out: the document and text of `kpt show`, what changed since a revision."""
