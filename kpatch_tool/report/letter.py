"""The answer a reviewer would send: a draft in the form of a mail (RFC 5322) that git send-email takes.

All is well and the series was tested: a Tested-by to the cover letter, with what was tested. Otherwise: an answer to
the first patch that fails, with the evidence, and no Tested-by. Nothing is invented: an address that an archive hid is
left out, and a Comments field says so.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.utils import formataddr
from pathlib import Path

from kpatch_tool import __version__
from kpatch_tool.diff.model import Hunk, Kind
from kpatch_tool.kbuild.model import changed_files
from kpatch_tool.mail.message import Address
from kpatch_tool.report.findings import Evidence, evidence, findings, further
from kpatch_tool.report.lines import few, limited
from kpatch_tool.results.record import RunRecord
from kpatch_tool.results.repeats import flaky_tests
from kpatch_tool.series.directory.files import encoded, rfc_date
from kpatch_tool.series.directory.posted import Posted
from kpatch_tool.series.model import Exactness, Series
from kpatch_tool.series.people.trailers import without
from kpatch_tool.suites.model import KERNEL_LOG, StateTests, SuiteStatus, Verdict
from kpatch_tool.text import cut, plural, printable, printable_bytes, spelt

_WIDTH = 72  # as Documentation/process/email-clients.rst and every list want it
_QUOTED_LINES = 6
_HUNK_LINES = 12
_LONGEST_LINE = 200  # of what is not wrapped: logs, code, words without a blank; RFC 5322 has 998 bytes
_LONGEST_SUBJECT, _LONGEST_NAME = 300, 100  # characters
_LONGEST_ADDRESS = 254  # RFC 5321, 4.5.3.1.3, less its brackets
_MORE = 8
_NO_ADDRESS = re.compile(r"[^!-~]|[][()<>,;:\\\"]")  # what RFC 5322 keeps for what stands around an address
_ID = re.compile(r"[!-;=?-~]{1,250}")  # printable ASCII without <>
# What programs take out of a body, wherever somebody's words come to stand after wrapping: git send-email mails to
# the addresses in such lines, b4 and kpt collect trailers, git am and mailboxes end a text at the others.
_TAKEN = re.compile(
    r"(?P<indent>\s*)(?:(?:[\w-]+-by|b?cc|to|from|subject|date|fixes|link|closes)\s*:)"
    r"|(?P<start>)(?:From \S+.*\d:\d\d|>|-- ?$|---|diff |index:)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Draft:
    """The mail as text; `answers` is the number of the patch it answers, 0 for the cover letter."""

    text: str
    answers: int


def answered(record: RunRecord) -> int:
    """The patch that the letter is about: the first one with a finding, 0 for the whole series."""
    return next((cell.patch for cell in findings(record) if cell.patch), 0)


def vouches(record: RunRecord) -> bool:
    """Whether the run is one to say Tested-by for: nothing found, nothing left undone, the last state tested (something
    passed there: a tree may have no tests, or all of them skip themselves) and compared with the base, no test of any
    state worse in some of its runs, which is no verdict. Where all that the series changes is in modules that no guest
    loaded, nothing of it was tested; what the configuration does not compile was not even built."""
    last = max((patch.number for patch in record.patches), default=0)
    compared = any(
        tests.patch == last
        and tests.status is SuiteStatus.OK
        and record.compared_with(tests) is not None
        and _passes(tests)
        for tests in record.tests
    )
    unsteady = any(flaky_tests(tests) for tests in record.tests if tests.patch)
    tested = compared and not unsteady and not record.uncompiled and not _out_of_reach(record, last)
    return record.exit_status == 0 and tested


def _out_of_reach(record: RunRecord, last: int) -> bool:
    base, build = record.base_build(), next((one for one in record.builds if one.patch == last), None)
    if base is None or build is None:
        return False
    changed = changed_files(build, base)
    return bool(changed) and record.never_loaded.issuperset(changed)


def _passes(tests: StateTests) -> bool:
    return any(one.verdict is Verdict.PASS and one.test != KERNEL_LOG for one in tests.results)


def draft(record: RunRecord, series: Series, mail: Posted, writer: Address) -> Draft:
    """The letter by `writer` that answers `mail`."""
    number = answered(record)
    body = _finding(record, number) if number else _whole(record, writer)
    quoted = _quoted(record, series, mail)
    header, notes = _header(record, series, mail, writer)
    fields = [*header, *(_field("Comments", note) for note in notes)]
    content = "\n".join([_attribution(mail), *quoted, "", *body])
    fields += [
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=UTF-8",
        f"Content-Transfer-Encoding: {'7bit' if content.isascii() else '8bit'}",
    ]
    return Draft("\n".join([*fields, "", content.rstrip(), ""]), mail.number)


# The header


def _header(record: RunRecord, series: Series, mail: Posted, writer: Address) -> tuple[list[str], list[str]]:
    to, cc, notes = _recipients(mail, writer)
    subject = mail.subject if re.match(r"re:", mail.subject, re.IGNORECASE) else f"Re: {mail.subject}"
    fields = [f"From: {_mailbox(writer)}", f"Date: {rfc_date(record.started)}", _field("Subject", subject)]
    fields += [f"{name}: " + ",\n\t".join(map(_mailbox, people)) for name, people in (("To", to), ("Cc", cc)) if people]
    ids = [one for one in (*mail.references, mail.message_id) if _ID.fullmatch(one)]
    if mail.message_id in ids:
        fields.append(f"In-Reply-To: <{mail.message_id}>")
        fields.append("References: " + "\n\t".join(f"<{one}>" for one in dict.fromkeys(ids)))
    else:
        notes.append(
            "the source shows no message id; give git send-email --in-reply-to=ID, or this begins a new thread"
        )
    if not to:
        notes.append("no address is known for To")
    return fields, [f"draft of kpt, to be read before it is sent ({series.name})", *notes]


def _recipients(mail: Posted, writer: Address) -> tuple[list[Address], list[Address], list[str]]:
    """To: the author; Cc: everybody else whom the mail went to, the writer left out."""
    notes = []
    seen = {writer.email.lower()}
    to: list[Address] = []
    cc: list[Address] = []
    for people, into in (((mail.author,), to), (mail.recipients.to, cc), (mail.recipients.cc, cc)):
        for one in people:
            if not _usable(one.email):
                notes.append(f"the address of {one.name or 'somebody'} is not known; add it")
            elif one.email.lower() not in seen:
                seen.add(one.email.lower())
                into.append(one)
    if mail.recipients.hidden:
        notes.append(f"{plural(mail.recipients.hidden, 'address', 'addresses')} of To and Cc are hidden; add them")
    if not to and cc:
        to, cc = cc, []
    return to, cc, notes


def _usable(email: str) -> bool:
    if len(email) > _LONGEST_ADDRESS:
        return False
    return bool(re.fullmatch(r"[^@]+@[^@]+", email)) and not (_NO_ADDRESS.search(email) or email.endswith(".invalid"))


def _mailbox(person: Address) -> str:
    name = cut(printable(person.name), _LONGEST_NAME) if person.name != person.email else ""
    return formataddr((name, person.email))


def _field(name: str, value: str) -> str:
    """A field of words, folded; non-ASCII as RFC 2047 words."""
    value = encoded(cut(printable(value), _LONGEST_SUBJECT))
    if "\n" in value:
        return f"{name}: {value}"
    return "\n ".join(textwrap.wrap(f"{name}: {value}", 76, break_long_words=False, break_on_hyphens=False))


# What is quoted


def _attribution(mail: Posted) -> str:
    who = cut(printable(mail.author.name), _LONGEST_NAME) or "somebody"
    return f"On {rfc_date(mail.date)}, {who} wrote:" if mail.date else _inert(f"{who} wrote:")


def _quoted(record: RunRecord, series: Series, mail: Posted) -> list[str]:
    """What the letter speaks of: the lines of the patch that an error names, else the beginning of the mail."""
    found = evidence(record, mail.number) if mail.number else ()
    hunk = next((lines for one in found if (lines := _hunk(series, mail.number, one.at))), [])
    return [cut(f"> {line}".rstrip(), _LONGEST_LINE) for line in hunk or _beginning(mail.text)]


def _beginning(text: str) -> list[str]:
    lines = [printable(line) for line in without(text).strip().splitlines()]
    first = next((at for at, line in enumerate(lines) if not line.strip()), len(lines))
    shown = lines[: min(first, _QUOTED_LINES)]
    return [*shown, "[...]"] if len(shown) < len(lines) else shown


def _hunk(series: Series, number: int, at: tuple[str, int]) -> list[str]:
    """The lines of the patch around a line of the resulting file; none where the patch does not have it."""
    path, line = at
    patch = series.patch(number)
    for file in patch.files if patch is not None else ():
        if file.new_path == path:
            for hunk in file.hunks:
                if hunk.new_start <= line < hunk.new_start + hunk.new_count:
                    return [f"+++ b/{printable(path)}", *_around(hunk, line)]
    return []


def _around(hunk: Hunk, line: int) -> list[str]:
    after = itertools.accumulate((one.kind is not Kind.REMOVED for one in hunk.lines), initial=hunk.new_start - 1)
    at = next((at for at, now in enumerate(after) if now == line), 1) - 1
    start = max(0, at - _HUNK_LINES // 2)
    shown = [f"{one.kind}{printable_bytes(one.text, lines=True)}" for one in hunk.lines[start : start + _HUNK_LINES]]
    section = f" {printable_bytes(hunk.section)}" if hunk.section else ""
    return [f"@@ -{hunk.old_start},{hunk.old_count} +{hunk.new_start},{hunk.new_count} @@{section}", *shown]


# What is said


def _finding(record: RunRecord, number: int) -> Iterator[str]:
    for one in evidence(record, number):
        yield from _shown(one)
    others = [f"patch {cell.patch}, {cell.stage}: {printable(said)}" for cell, said in further(record, number)]
    if others:
        yield from _prose("Found further on:")
        yield ""
        yield from (_inert(f"  {cut(line, _LONGEST_LINE)}") for line in limited(others, _MORE))
        yield ""
    yield from _tested(record)


def _shown(one: Evidence) -> Iterator[str]:
    yield from _prose(one.said)
    yield ""
    for lines, title in ((one.lines, ""), (one.log, f"From the log of {one.log_name}:")):
        if lines:
            if title:
                yield from _prose(title)
                yield ""
            yield from (_inert(f"  {_whole_line(line)}".rstrip()) for line in lines)
            yield ""


def _whole(record: RunRecord, writer: Address) -> Iterator[str]:
    """The answer to the cover letter."""
    if vouches(record):
        yield f"Tested-by: {printable(writer.name)} <{writer.email}>"
        yield ""
    yield from _prose(record.sentence)
    yield ""
    base = [cell for cell in findings(record) if cell.patch == 0]
    for told in [f"The base itself: {cell.why or cell.text}." for cell in base]:
        yield from _prose(told)
        yield ""
    if record.problems:
        yield from _prose("Not done on this machine:")
        yield ""
        for problem in record.problems:
            yield from _prose(problem, "  ")
        yield ""
    elif not any(tests.patch and tests.results for tests in record.tests):
        yield from _prose("It was not tested.")
        yield ""
    yield from _tested(record)


def _tested(record: RunRecord) -> Iterator[str]:
    """What was tested, on what, and how."""
    restored = [patch for patch in record.patches if patch.exactness is Exactness.MATCHED]
    facts = {
        "Tree": f"{record.tree}, base {record.base[:12]}",
        "Architecture": record.arch,
        "Configuration": _configuration(record),
        "Accelerator": _ACCELERATORS.get(record.accelerator, record.accelerator),
        "Tests": _suites(record),
    }
    yield from _prose(f"Done with kpt {__version__}:")
    yield ""
    for name, value in facts.items():
        if value:
            yield from _prose(f"{name + ':':<15}{value}", "  ", " " * 17)
    yield ""
    if restored:
        numbers = spelt(patch.number for patch in restored)
        who, was = ("Patch", "was") if len(restored) == 1 else ("Patches", "were")
        yield from _prose(
            f"{who} {numbers} came from a damaged copy and {was} restored: every context and removed line was found in "
            "the base, but the bytes are not proven to be the author's."
        )
        yield ""


_ACCELERATORS = {"tcg": "TCG (QEMU emulates the CPU and its SVM)", "kvm": "KVM (nested)"}


def _configuration(record: RunRecord) -> str:
    """Which configuration was built: kpt's own and what was added, named by its hash so that two runs can be
    compared."""
    artifacts = next((build.artifacts for build in reversed(record.builds) if build.artifacts is not None), None)
    try:
        data = Path(artifacts / "config").read_bytes() if artifacts is not None else b""
    except OSError:
        return ""
    added = f" with {few(record.config)}" if record.config else ""
    digest = hashlib.sha256(data).hexdigest()[:12]
    return f"kpt's guest configuration{added}, .config has sha256 {digest}" if data else ""


def _suites(record: RunRecord) -> str:
    return ", ".join(
        f"{tests.suite} ({plural(len(tests.cases), 'case')} on the base)" for tests in record.tests if tests.patch == 0
    )


def _prose(words: str, first: str = "", later: str | None = None) -> Iterable[str]:
    lines = textwrap.wrap(
        printable(words), _WIDTH, initial_indent=first, subsequent_indent=first if later is None else later,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return [_inert(cut(line, _LONGEST_LINE)) for line in lines]


def _inert(line: str) -> str:
    """`line`, marked where a program would take it for more than words."""
    found = _TAKEN.match(line)
    if found is None:
        return line
    indent = found["indent"] or ""
    return f"{indent}| {line[len(indent) :]}"


def _whole_line(line: str) -> str:
    return cut(printable(line.replace("\n", " "), lines=True), _LONGEST_LINE)
