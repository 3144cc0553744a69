"""kpt takes a kernel patch series from a mailing list and tells, with evidence, what every patch does."""

__version__ = "0.1.0"
