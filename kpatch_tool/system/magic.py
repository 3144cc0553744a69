"""How compressed files begin: RFC 1952, The .xz File Format 2.1.1.1, bzip2's compress.c, RFC 8878."""

from __future__ import annotations

GZIP = b"\x1f\x8b"
XZ = b"\xfd7zXZ\x00"
BZIP2 = b"BZh"
ZSTD = b"\x28\xb5\x2f\xfd"
