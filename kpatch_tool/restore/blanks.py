"""Where blank lines stand: how likely two lines that follow each other have a blank line between them.

An archive that drops blank lines leaves open on which side of an added line a blank context line stood. The tables hold
ten times the logarithm (base 2) of the odds, counted in Linux 6.1 for pairs of kinds of lines (white space squeezed).
"""

from __future__ import annotations

import re
from functools import lru_cache
from math import log2

_CODE_ENDS = (".c", ".h", ".S", ".dts", ".dtsi", ".dtso", ".y", ".l", ".cc", ".cpp", ".lds", ".bpf", ".rs")
_DECLARATION = re.compile(
    rb"(?:(?:static|const|struct|union|enum|unsigned|signed|volatile|register|extern|int|long|short|char|bool|void|float"
    rb"|double|size_t|ssize_t|__\w+|[us](?:8|16|32|64)|[a-z]\w*_t) )+[\w *,()\[\]=&\->.:+|]*[^{]$"
    rb"|[A-Za-z_]\w* \**[a-z_]\w*( = [^;]*)?;$"
)
_CALL = re.compile(rb"[A-Z_]{2}\w*\(.*\);?$")
_FUNCTION = re.compile(rb"(?:static|int|void|bool|struct|unsigned|long|const|inline|__\w+|[us]\d+|[a-z]\w*_t) .*[(,)]$")
_LABEL = re.compile(rb"(?:[A-Za-z_]\w*|case .*|default) ?:$")

# What a line of code is, by the first of these that fits.
_CODE = (
    ("include", re.compile(rb"# ?include\b")),
    ("define", re.compile(rb"# ?(?:define|undef)\b")),
    ("if", re.compile(rb"# ?(?:if|ifdef|ifndef|el\w+)\b")),
    ("endif", re.compile(rb"# ?endif\b")),
    ("comment", re.compile(rb"/\*(?!.*\*/)")),
    ("remark", re.compile(rb"/\*.*\*/$|//")),
    ("star-end", re.compile(rb"\*+/|.*\*/$")),
    ("star-at", re.compile(rb"\* @")),
    ("star", re.compile(rb"\*")),
    ("goes-on", re.compile(rb".*\\$")),
    ("close", re.compile(rb"\}")),
    ("open", re.compile(rb".*\{$")),
    ("label", _LABEL),
    ("leave", re.compile(rb"(?:return|goto|break|continue)\b.*;$")),
    ("control", re.compile(rb"(?:if|for|while|switch|else|do)\b|(?=\w*for_each)\w+ ?\(")),
    ("macro", _CALL),
    ("declaration", _DECLARATION),
    ("head", _FUNCTION),
    ("member", re.compile(rb"\.\w+.*[,}]$|[A-Z]\w*( = .*)?,$|\{.*\},?$")),
    ("statement", re.compile(rb".*;$")),
    ("part", re.compile(rb".*(?:[,(]|&&|\|\||=|[-+|*/?:])$")),
    ("other", re.compile(rb"")),
)
_TEXT = (
    ("rule", re.compile(rb"([-=~^*#.])\1\1+$")),
    ("item", re.compile(rb"(?:[-*+]|\d+[.)]|\(\d+\)) ")),
    ("directive", re.compile(rb"\.\. ")),
    ("key", re.compile(rb"[\w.$\"-]+: ?")),
    ("config", re.compile(rb"(?:menu)?config |endif|endmenu|menu |choice|endchoice")),
    ("make", re.compile(rb"[\w.$()-]+ ?[+:?]?= ?")),
    ("colons", re.compile(rb".*:$")),
    ("hash", re.compile(rb"#")),
    ("def", re.compile(rb"(?:def|class|function|sub|if|for|while|ifeq|ifdef|ifneq) ")),
    ("end", re.compile(rb"(?:\}|fi|done|esac|else|endif|return)\b")),
    ("open", re.compile(rb".*[{(\[\\,]$")),
    ("sentence", re.compile(rb".*[.?!]$")),
    ("word", re.compile(rb"\w+(?: \w+){0,3}$")),
    ("other", re.compile(rb"")),
)
KINDS = {True: [name for name, _ in _CODE], False: [name for name, _ in _TEXT]}


def _table(text: str) -> dict[str, tuple[int, ...]]:
    """Row by row: the kind above, then the numbers for the kinds below it, in the order of KINDS."""
    rows = (row.split() for row in text.strip().split("\n"))
    return {name: tuple(map(int, numbers)) for name, *numbers in rows}


# Ten times the log2 odds of a blank line between two lines.
_CODE_ODDS = _table("""
include     -34  51  15  -8  57  46  20 -23 -30 -23 -55  75 -34 -23 -23  54  60   5 -23  27  26  18
define       29 -28  -2  -9  35  16 -14 -23 -56 -99 -58  25  -3   4 -38 -47  15 -19 -74   6 -13 -50
if          -14 -50 -13 -30 -22 -27 -66 -23 -57 -34 -59 -43 -84 -83 -68 -51 -33 -34 -92 -62 -92 -41
endif        11  28   7   8  39  23 -18 -23 -15 -23 -70  20 -17 -12  -9  -4  24 -23 -38  -5 -10 -16
comment     -23 -43 -23 -23 -23 -30 -89 -99 -99 -23 -23 -34 -38 -23 -51 -53 -41 -23 -23 -47 -32 -28
remark        4 -38 -17   1 -37 -27 -51 -23 -41 -43 -68 -39 -41 -46 -57 -41 -38 -65 -64 -53 -55 -34
star-end     21 -21   9 -27  23  12 -50 -23 -32 -30 -67 -30 -36 -30 -42 -33 -35 -31 -42 -34 -32 -26
star-at     -23 -23 -23 -23 -23 -23 -99 -99 -99 -23 -23 -23 -23 -23 -30 -23 -23 -23 -23 -23 -23 -41
star        -23 -30 -20 -35  13  22 -99 -99 -99 -67 -71  -8  10 -15 -17 -28 -17 -23 -55 -16 -12 -19
goes-on     -23  31 -23  -3 -38 -10 -51 -23 -71 -99 -99  17 -47 -30 -59 -72 -22 -54 -84 -85 -69 -99
close        34  29  13 -11  40  25  -4 -23  -1   5 -67  22   3   5   7 -22  46   3 -63   1   2  19
open        -64 -59 -74 -52 -55 -50 -78 -23 -83 -45 -59 -71 -75 -98 -70 -75 -94 -65 -99 -85 -84 -73
label        -3  10 -53 -47 -52 -51 -47 -23 -99 -23 -23 -64 -99 -71 -71 -65  -2 -23 -34 -80 -73 -49
leave       -23  24 -11 -63  27  28 -12 -23   8 -23 -85  22 -14   8   5  14  16 -23 -23  17  21  16
control     -23  13 -30 -33 -39 -39 -87 -30 -96 -23 -58 -82 -21 -99 -78 -99   4 -23 -63 -99 -99 -99
macro         2  18   4 -27  40  21 -18 -23  -2  10 -67  12   1 -24  -5 -36  23   5 -68 -11 -17 -16
declaration   5   2 -12  -6  28  18 -19 -23   6  -1 -73 -31  15  23  41   4 -44 -28 -48  20   1 -33
head        -23  -4 -30 -30  10 -10 -77 -23 -30 -23 -23 -22 -23 -23 -23   8 -12 -47 -56 -66 -86 -21
member       -3   1 -38 -64  -4  -5 -35 -23 -30 -34 -87 -60 -23 -23 -23 -52 -16 -23 -61 -99 -58 -58
statement     2  17  -4 -40  18  16 -21 -23 -18  -6 -74  -9 -12 -19 -22  -8 -16  -7 -45 -25 -11 -20
part          3  17 -41 -49 -22 -14 -60 -23 -52  -8 -85 -89 -25 -59 -51 -60 -99 -34 -69 -99 -60 -55
other        10   4 -19 -24  23  12 -31 -41 -32 -29 -77 -40  -7 -99 -24 -22   1 -53 -24 -78 -35 -36
""")
_TEXT_ODDS = _table("""
rule       -5  27  33 -26 -16  -2  23 -27 -28   0  17  19  -5  15
item      -53 -39  41  13  27 -23  26 -34 -46 -37 -17 -29   0 -11
directive  67  34   6   2 -16  27 -27  38  29 -16  32   3  56   3
key       -24 -36  18 -10   0 -49  10 -11 -29 -28  -5 -39  20 -18
config    -16 -16 -16   7  21  12 -16  23  27 -23 -16 -12 -76 -63
make      -19  20  12   4 -51 -32  -2  -1  -9 -54 -11 -14  -6 -27
colons    -11   2  53 -25   0  -3   9  10   9 -59  22  -8  18  14
hash      -35 -42   7   6 -14 -13 -15 -42 -17 -28   9  13  -9 -23
def       -39  -4   7  11  27 -58  -8 -38 -28 -65 -43 -33 -21 -28
end        -7   0   7   4 -16 -11  18  19   5 -37   7 -11   1 -13
open      -54 -21   7 -23 -16 -70 -31 -50 -56 -61 -81 -73 -53 -79
sentence   18  10  64  16  64   8  26  23  28  -7  14   2  32  16
word      -81  -8  38   6  58   3   4  17  11 -53  -7 -33 -45 -30
other     -35  -2  40   1  28  -8  -9   7 -18 -49 -19 -53 -21 -28
""")


def is_code(path: str) -> bool:
    """Whether a file of that name is read as C (and what looks like it)."""
    return path.endswith(_CODE_ENDS)


@lru_cache(maxsize=8192)
def kind(text: bytes, code: bool) -> str:
    """What a line (squeezed, not blank) is."""
    return next(name for name, pattern in (_CODE if code else _TEXT) if pattern.match(text))


@lru_cache(maxsize=4096)
def _bits(above: str, below: str, code: bool) -> tuple[float, float]:
    odds = 2.0 ** ((_CODE_ODDS if code else _TEXT_ODDS)[above][KINDS[code].index(below)] / 10.0)
    return log2(1.0 + odds), log2(1.0 + 1.0 / odds)


def bits(above: bytes, below: bytes, *, blank: bool, code: bool) -> float:
    """What it costs in bits that a blank line stands (or, `blank` false, does not stand) between two lines (squeezed,
    not blank)."""
    return _bits(kind(above, code), kind(below, code), code)[blank]
