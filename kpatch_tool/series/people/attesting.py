"""Who signed the patches of a series: checked when it is imported, told whenever it is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from kpatch_tool.mail.attestation import Attestation, SignedBy, Standing
from kpatch_tool.mail.read import SourceFile
from kpatch_tool.series.model import Patch, Series
from kpatch_tool.text import spelt

if TYPE_CHECKING:
    from kpatch_tool.mail.attest_dkim import Lookup

NAMES = {SignedBy.DKIM: "DKIM", SignedBy.PATATT: "patatt"}
_SAID = {Standing.VERIFIED: "verified", Standing.FAILED: "FAILED", Standing.UNCHECKED: "not checked"}
_ORDER = (Standing.VERIFIED, Standing.FAILED, Standing.UNCHECKED)


def attested(series: Series, files: Iterable[SourceFile], *, lookup: Lookup | None = None) -> Series:
    """`series` with what the signatures of its patches' mails say; one that fails is a problem, unless another of its
    kind on the same mail holds. `files` are the source as received; pages have no signatures.

    `lookup` gets keys for DKIM instead of the machine's DNS.
    """
    from kpatch_tool.mail import attest

    wanted = [patch.message_id for patch in series.patches if patch.message_id]
    found = attest.check(files, wanted, lookup=lookup) if wanted else {}
    if not found:
        return series
    patches = tuple(replace(patch, attestation=found.get(patch.message_id, ())) for patch in series.patches)
    return replace(series, patches=patches, problems=(*series.problems, *_problems(patches)))


def _problems(patches: Iterable[Patch]) -> Iterator[str]:
    """A sentence on signatures that do not hold, and for the same reason (a list's footer breaks all of a series)."""
    found: dict[tuple[SignedBy, str, str], list[int]] = {}
    for patch in patches:
        for kind in SignedBy:
            one = _best(patch, kind)
            if one is not None and one.status is Standing.FAILED:
                found.setdefault((kind, _signer(one), one.why), []).append(patch.number)
    for (kind, signer, why), which in found.items():
        noun, ending = ("patch", "") if len(which) == 1 else ("patches", "s")
        hold = "does not hold" if len(which) == 1 else "do not hold"
        yield f"{noun} {spelt(which)}: the {NAMES[kind]} signature{ending} of {signer} {hold}: {why}"


def _best(patch: Patch, kind: SignedBy) -> Attestation | None:
    """A patch's signature of a kind that says most: verified, of the sender's own domain."""
    own = patch.author.email.rpartition("@")[2].lower()
    return min(
        (one for one in patch.attestation if one.kind is kind),
        key=lambda one: (_ORDER.index(one.status), one.domain != own),
        default=None,
    )


def _signer(one: Attestation) -> str:
    return one.domain if one.kind is SignedBy.DKIM else one.identity


def summary(series: Series) -> Iterator[str]:
    """A line for each kind of signature there is: "DKIM: 5 of 6 patches signed by kernel.org, verified"."""
    for kind in SignedBy:
        signed = [one for patch in series.patches if (one := _best(patch, kind))]
        if not signed:
            continue
        signers = list(dict.fromkeys(map(_signer, signed)))
        who = ", ".join(signers[:3]) + (f" and {len(signers) - 3} more" if len(signers) > 3 else "")
        counts = Counter((one.status, "" if one.status is Standing.VERIFIED else one.why) for one in signed)
        yield f"{NAMES[kind]}: {len(signed)} of {len(series.patches)} patches signed by {who}, {_counted(counts)}"


def _counted(counts: Counter[tuple[Standing, str]]) -> str:
    several = len(counts) > 1
    said = []
    for (status, why), count in sorted(counts.items(), key=lambda item: _ORDER.index(item[0][0])):
        said.append(f"{f'{count} ' if several else ''}{_SAID[status]}{f': {why}' if why else ''}")
    return "; ".join(said)


def lines(patch: Patch, *, brief: bool = False) -> Iterator[str]:
    """What `kpt show` says of one patch's signatures: "DKIM kernel.org: verified". `brief` leaves out the reasons, and
    those that were not checked."""
    for one in patch.attestation:
        if not brief:
            yield f"{NAMES[one.kind]} {_signer(one)}: {_SAID[one.status]}{f' ({one.why})' if one.why else ''}"
        elif one.status is not Standing.UNCHECKED:
            yield f"{NAMES[one.kind]} {_signer(one)}: {_SAID[one.status]}"


def documents(attestation: Sequence[Attestation]) -> list[dict[str, str | int]]:
    """The attestation of a patch as JSON has it, and series.toml keeps it."""
    return [
        {
            "kind": str(one.kind),
            "identity": one.identity,
            "domain": one.domain,
            "status": str(one.status),
            "why": one.why,
            "checked": one.checked,
        }
        for one in attestation
    ]


def from_table(entry: Mapping[str, object]) -> Attestation | None:
    """The reverse of one of `documents`; None for what a person wrote that is none."""
    try:
        kind, status = SignedBy(str(entry.get("kind"))), Standing(str(entry.get("status")))
    except ValueError:
        return None
    identity, domain, why, checked = (str(entry.get(key, "")) for key in ("identity", "domain", "why", "checked"))
    return Attestation(kind, identity, domain, status, why, checked)
