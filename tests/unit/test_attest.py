"""Signatures of mails: made here with the libraries' own signers, with keys of the test, and checked."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import dkim
import dns.message
import dns.rcode
import dns.rrset
import patatt
import pytest
from nacl.signing import SigningKey

from kpatch_tool.mail import attest, attest_dkim
from kpatch_tool.mail.attest_dkim import NoDns, look_up
from kpatch_tool.mail.attestation import Attestation
from kpatch_tool.mail.read import SourceFile, parse
from kpatch_tool.series.assemble import assemble
from kpatch_tool.series.model import Series
from kpatch_tool.series.people.attesting import attested, summary
from tests.clock import within
from tests.mail_fixtures import DIFF

GIT = shutil.which("git") or ""
RECORD = "key._domainkey.example.org"
BODY = "Why.\n\nSigned-off-by: Jane Doe <jane@example.org>\n---\n\n" + DIFF + "-- \n2.39.5\n\n"
MAIL = f"""From: Jane Doe <jane@example.org>
Date: Thu, 17 Apr 2014 09:00:00 +0000
Message-ID: <p1@example.org>
Subject: [PATCH] mm: one

{BODY}""".encode()


@dataclass(frozen=True)
class Dkim:
    """A signer and the record that DNS would have."""

    private: bytes
    algorithm: bytes
    record: bytes

    def sign(self, mail: bytes, *, domain: bytes = b"example.org", length: bool = False) -> bytes:
        header: bytes = dkim.sign(
            mail,
            b"key",
            domain,
            self.private,
            signature_algorithm=self.algorithm,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=[b"from", b"subject", b"date", b"message-id"],
            length=length,
        )
        return header.replace(b"\r\n", b"\n") + mail


@pytest.fixture(scope="module")
def signer() -> Dkim:
    key = SigningKey.generate()
    public = base64.b64encode(bytes(key.verify_key))
    return Dkim(base64.b64encode(bytes(key)), b"ed25519-sha256", b"v=DKIM1; k=ed25519; p=" + public)


def checked(
    raw: bytes, record: bytes | None = None, lookup: Callable[[str, float], bytes | None] | None = None
) -> tuple[Attestation, ...]:
    found = attest.check([SourceFile("m", raw)], ["p1@example.org"], lookup=lookup or (lambda name, seconds: record))
    return found.get("p1@example.org", ())


def said(attestations: tuple[Attestation, ...]) -> list[tuple[str, str, str, str]]:
    assert all(one.checked for one in attestations)
    return [(str(one.kind), one.domain, str(one.status), one.why) for one in attestations]


GOOD = [("dkim", "example.org", "verified", "")]


def test_a_mail_as_it_was_sent(signer: Dkim) -> None:
    raw = signer.sign(MAIL)
    assert said(checked(raw, signer.record)) == GOOD
    assert said(checked(raw.replace(b"\n", b"\r\n"), signer.record)) == GOOD
    assert said(checked(b"From mboxrd@z Thu Jan  1 00:00:00 1970\n" + raw + b"\n", signer.record)) == GOOD
    assert said(checked(b"\1\1\1\1\n" + raw + b"\1\1\1\1\n", signer.record)) == GOOD  # MMDF
    assert said(checked(b"%d\n%s<?xml?>\n" % (len(raw), raw), signer.record)) == GOOD  # Apple's Mail
    assert checked(raw, signer.record)[0].identity == "@example.org"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the key")
def test_rsa_keys(signer: Dkim) -> None:
    def openssl(*words: str, data: bytes = b"") -> bytes:
        return subprocess.run(["openssl", *words], input=data, capture_output=True, check=True).stdout

    private = openssl("genrsa", "1024")
    public = base64.b64encode(openssl("rsa", "-pubout", "-outform", "DER", data=private))
    rsa = Dkim(openssl("rsa", "-traditional", data=private), b"rsa-sha256", b"v=DKIM1; p=" + public)
    assert said(checked(rsa.sign(MAIL), rsa.record)) == GOOD
    assert said(checked(rsa.sign(MAIL), signer.record))[0][2] == "failed"


@pytest.mark.parametrize(
    "separator", [b"From mboxrd@z Thu Jan  1 00:00:00 1970\n", b"From j Thu Jan  1 00:00:00 1970\n"]
)
def test_quoting_of_an_mbox_is_undone(signer: Dkim, separator: bytes) -> None:
    raw = signer.sign(MAIL.replace(b"Why.", b"Why.\n\nFrom here on."))
    quoted = raw.replace(b"\nFrom here", b"\n>From here")
    assert said(checked(separator + quoted + b"\n" + separator + quoted, signer.record)) == GOOD


ALTERED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "footer": (lambda raw: raw + b"_____\nlist mailing list\n", "the body was altered (mailing list footer?)"),
    "diff": (lambda raw: raw.replace(b"return  2", b"return  3"), "the body was altered (mailing list footer?)"),
    "subject": (lambda raw: raw.replace(b"mm: one", b"mm: two"), "the header was altered, or the key is another"),
    "cut": (lambda raw: raw.replace(b" bh=", b" zz="), "the signature is not valid: missing b'bh'="),
}


@pytest.mark.parametrize("name", ALTERED)
def test_an_altered_mail(name: str, signer: Dkim) -> None:
    change, why = ALTERED[name]
    raw = signer.sign(MAIL)
    assert change(raw) != raw
    assert said(checked(change(raw), signer.record)) == [("dkim", "example.org", "failed", why)]


def test_keys_that_cannot_be_had(signer: Dkim) -> None:
    raw = signer.sign(MAIL)
    assert said(checked(raw, None)) == [("dkim", "example.org", "unchecked", f"DNS has no key {RECORD} (any more)")]
    withdrawn = f"the key {RECORD} was withdrawn"
    assert said(checked(raw, b"v=DKIM1; p=")) == [("dkim", "example.org", "unchecked", withdrawn)]
    assert said(checked(raw, b"nonsense"))[0][2] == "failed"
    expired = raw.replace(b"; d=", b"; x=1000000000; d=", 1)
    assert said(checked(expired, signer.record))[0][2:] == ("unchecked", "the signature expired 2001-09-09")


def test_a_length_leaves_a_footer_out_but_no_diff(signer: Dkim) -> None:
    raw = signer.sign(MAIL, length=True)
    (one,) = said(checked(raw + b"_____\nlist\n", signer.record))
    assert one[2] == "verified"
    assert one[3].startswith("only the first ")
    (one,) = said(checked(raw + DIFF.encode(), signer.record))
    assert one[2] == "failed"
    assert one[3].startswith("a diff stands below")


def test_several_signatures(signer: Dkim) -> None:
    raw = signer.sign(signer.sign(MAIL), domain=b"list.example.net")
    assert said(checked(raw, signer.record)) == [
        ("dkim", "list.example.net", "verified", "the sender is of example.org"),
        *GOOD,
    ]


def test_without_dns_it_ends_soon_and_says_so(signer: Dkim) -> None:
    asked = []

    def dead(name: str, seconds: float) -> bytes | None:
        asked.append(seconds)
        raise NoDns("timeout")

    many = b"".join(
        b"From mboxrd@z Thu Jan  1 00:00:00 1970\n"
        + signer.sign(MAIL.replace(b"<p1@", b"<p%d@" % n), domain=b"d%d.example.org" % n)
        + b"\n"
        for n in range(40)
    )
    found = attest.check([SourceFile("m", many)], [f"p{n}@example.org" for n in range(40)], lookup=dead)
    assert {said(one)[0][2:] for one in found.values()} == {("unchecked", "no DNS")}
    assert len(found) == 40
    assert len(asked) < 40
    assert max(asked) <= attest_dkim.SECONDS


@pytest.fixture
def dns_server(signer: Dkim) -> Iterator[tuple[str, int]]:
    """A name server on this machine that knows one key."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                wire, peer = server.recvfrom(4096)
            except OSError:
                return
            if not wire:
                return
            query = dns.message.from_wire(wire)
            reply = dns.message.make_response(query)
            name = query.question[0].name
            if name.to_text() == RECORD + ".":
                text = signer.record.decode()
                reply.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", f'"{text[:20]}" "{text[20:]}"'))
            else:
                reply.set_rcode(dns.rcode.NXDOMAIN)
            server.sendto(reply.to_wire(), peer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.getsockname()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.sendto(b"", server.getsockname())
    thread.join(5)
    server.close()


def test_dns_is_asked(signer: Dkim, dns_server: tuple[str, int]) -> None:
    assert look_up(RECORD, 5, [dns_server]) == signer.record
    assert look_up("other.example.org", 5, [dns_server]) is None
    raw = signer.sign(MAIL)
    assert said(checked(raw, lookup=lambda name, left: look_up(name, left, [dns_server]))) == GOOD


def test_dns_that_does_not_answer() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        start = time.monotonic()
        with pytest.raises(NoDns):
            look_up(RECORD, 0.5, [silent.getsockname()])
        assert time.monotonic() - start < 5


@pytest.fixture
def developer(sealed: Path) -> SigningKey:
    """A developer whose key is in the keyring that git's configuration names."""
    key = SigningKey.generate()
    ring = sealed / "ring/ed25519/example.org/jane"
    ring.mkdir(parents=True)
    (ring / "default").write_bytes(base64.b64encode(bytes(key.verify_key)))
    with (sealed / "gitconfig").open("a") as config:
        config.write(f"[patatt]\n\tkeyringsrc = {sealed}/ring\n")
    return key


def signed(key: SigningKey, mail: bytes = MAIL, identity: str = "jane@example.org") -> bytes:
    made: bytes = patatt.sign_message(mail, "ed25519", base64.b64encode(bytes(key)), identity, "default")
    return made


def test_a_developers_signature(developer: SigningKey) -> None:
    raw = signed(developer)
    assert said(checked(raw)) == [("patatt", "example.org", "verified", "")]
    assert checked(raw)[0].identity == "jane@example.org"
    assert said(checked(raw.replace(b"\n", b"\r\n"))) == [("patatt", "example.org", "verified", "")]
    body = raw.replace(b"return  2", b"return  3")
    assert said(checked(body))[0][2:] == ("failed", "the body was altered, or the key is another")
    head = raw.replace(b"mm: one", b"mm: two")
    assert said(checked(head))[0][2:] == ("failed", "the header was altered, or the key is another")


def test_a_developers_signature_below_which_a_list_wrote(developer: SigningKey) -> None:
    raw = signed(developer)
    (one,) = said(checked(raw + b"_____\nlist mailing list\n"))
    assert one[2:] == ("verified", "the last 28 bytes are not signed (mailing list footer?)")
    (one,) = said(checked(raw + DIFF.encode()))
    assert one[2:] == ("failed", "a diff stands below the part that is signed")


def test_a_key_that_is_not_in_the_keyring(developer: SigningKey, sealed: Path) -> None:
    shutil.rmtree(sealed / "ring")
    why = "ed25519 key of jane@example.org not in the keyring"
    assert said(checked(signed(developer))) == [("patatt", "example.org", "unchecked", why)]
    other = MAIL.replace(b"jane@example.org>\nDate", b"joe@example.org>\nDate")
    assert said(checked(signed(developer, other)))[0][2] == "unchecked"


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen makes the key")
def test_a_developers_ssh_key(developer: SigningKey, sealed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", sealed / "id"], check=True)
    ring = sealed / "ring/openssh/example.org/jane"
    ring.mkdir(parents=True)
    shutil.copy(sealed / "id.pub", ring / "default")
    raw = patatt.sign_message(MAIL, "openssh", str(sealed / "id"), "jane@example.org", "default")
    assert said(checked(raw)) == [("patatt", "example.org", "verified", "")]
    assert said(checked(raw.replace(b"mm: one", b"mm: two")))[0][2] == "failed"
    monkeypatch.setenv("PATH", str(sealed / "bin"))
    (sealed / "bin").mkdir()
    (sealed / "bin/git").symlink_to(GIT)
    assert said(checked(raw)) == [("patatt", "example.org", "unchecked", "ssh-keygen is not installed")]


def test_both_kinds(developer: SigningKey, signer: Dkim) -> None:
    raw = signer.sign(signed(developer))
    assert [one[:3] for one in said(checked(raw, signer.record))] == [
        ("patatt", "example.org", "verified"),
        ("dkim", "example.org", "verified"),
    ]


BROKEN = [
    b"DKIM-Signature:\n",
    b"DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=key; h=from; bh=x; b=\xff\n",
    b"DKIM-Signature: v=1; a=rsa-sha256; c=x/y; d=example.org; s=key; h=from; bh=abcd; b=abcd\n",
    b"DKIM-Signature: d=" + b"a" * 9000 + b"\n",
    b"X-Developer-Signature:\n",
    b"X-Developer-Signature: v=1; a=nonsense; i=a; b=x\n",
    b"X-Developer-Signature: v=1; a=ed25519-sha256; l=99999999; i=jane@example.org; h=from:subject; bh=x; b=\xff\n",
]


@pytest.mark.parametrize("head", BROKEN, ids=range(len(BROKEN)))
def test_broken_signatures_are_told_not_raised(head: bytes, developer: SigningKey, signer: Dkim) -> None:
    for record in (signer.record, b"v=DKIM1; k=rsa; p=AAAA", b"\xff", b"k=ed25519; p=x"):
        (one,) = checked(head + MAIL, record)
        assert one.status in ("failed", "unchecked")
        assert one.why


def test_hostile_blanks_take_no_long_time(signer: Dkim, developer: SigningKey) -> None:
    with within(5):
        raw = signer.sign(signed(developer)) + b" \t" * 200_000 + b"x\n"
        assert {one[2] for one in said(checked(raw, signer.record))} == {"unchecked"}


def _series(raw: bytes) -> Series:
    return assemble(list(parse(raw, "m")), where="m")


def test_a_series_and_its_problems(signer: Dkim) -> None:
    def one(number: int, change: bytes = b"return  2") -> bytes:
        mail = MAIL.replace(b"<p1@", b"<p%d@" % number).replace(b"[PATCH]", b"[PATCH %d/3]" % number)
        raw = signer.sign(mail) if number < 3 else mail
        return b"From mboxrd@z Thu Jan  1 00:00:00 1970\n" + raw.replace(b"return  2", change) + b"\n"

    whole = one(1) + one(2) + one(3)
    series = attested(_series(whole), [SourceFile("m", whole)], lookup=lambda name, left: signer.record)
    assert [len(patch.attestation) for patch in series.patches] == [1, 1, 0]
    assert list(summary(series)) == ["DKIM: 2 of 3 patches signed by example.org, verified"]
    assert series.problems == ()
    altered = one(1) + one(2, b"return  7") + one(3)
    series = attested(_series(altered), [SourceFile("m", altered)], lookup=lambda name, left: signer.record)
    why = "the body was altered (mailing list footer?)"
    assert list(summary(series)) == [f"DKIM: 2 of 3 patches signed by example.org, 1 verified; 1 FAILED: {why}"]
    assert series.problems == (f"patch 2: the DKIM signature of example.org does not hold: {why}",)
    altered = one(1, b"return  7") + one(2, b"return  7") + one(3)
    series = attested(_series(altered), [SourceFile("m", altered)], lookup=lambda name, left: signer.record)
    assert series.problems == (f"patches 1-2: the DKIM signatures of example.org do not hold: {why}",)
    bare = replace(series, patches=(series.patches[2],))
    assert list(summary(bare)) == []


def test_nothing_is_loaded_for_mails_without_signatures() -> None:
    program = (
        "import sys\nfrom kpatch_tool.mail import attest\nfrom kpatch_tool.mail.read import SourceFile\n"
        f"attest.check([SourceFile('m', {MAIL!r})], ['p1@example.org'])\n"
        "print({'dkim', 'dns', 'patatt', 'nacl'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "set()"
