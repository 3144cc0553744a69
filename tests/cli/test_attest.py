"""Signatures as the command line shows them: checked at import, told ever after."""

from __future__ import annotations

import base64
from pathlib import Path

import patatt
from nacl.signing import SigningKey

from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt
from tests.mail_fixtures import patch


def test_import_checks_and_show_tells(kpt: Kpt, workspace: Workspace, sealed: Path, tmp_path: Path) -> None:
    key = SigningKey.generate()
    ring = sealed / ".local/share/patatt/public/ed25519/example.org/jane"
    ring.mkdir(parents=True)
    (ring / "default").write_bytes(base64.b64encode(bytes(key.verify_key)))
    private = base64.b64encode(bytes(key))
    mails = [patch(f"[PATCH {n}/2] mm: {n}", f"p{n}", minute=n).rfc5322().encode() for n in (1, 2)]
    signed = [patatt.sign_message(mail, "ed25519", private, "jane@example.org", "default") for mail in mails]
    good = b"".join(b"From mboxrd@z Thu Jan  1 00:00:00 1970\n" + mail + b"\n" for mail in signed)
    (tmp_path / "good.mbox").write_bytes(good)
    (tmp_path / "bad.mbox").write_bytes(good.replace(b"return  2", b"return  3", 1))

    line = "patatt: 2 of 2 patches signed by jane@example.org, verified\n"
    assert line in kpt("import", "good.mbox", "--name", "good").out
    (ring / "default").unlink()  # show needs no key any more
    assert "patatt jane@example.org: verified\n" in kpt("show", "good").out
    assert "patatt jane@example.org: verified\n" in kpt("show", "good", "--patch", "1").out
    (one,) = kpt("show", "good", "--json").json["patches"][0]["attestation"]
    assert {key: one[key] for key in ("kind", "identity", "domain", "status", "why")} == {
        "kind": "patatt",
        "identity": "jane@example.org",
        "domain": "example.org",
        "status": "verified",
        "why": "",
    }
    assert one["checked"].startswith("20")

    out = kpt("import", "good.mbox", "--name", "unknown").out
    assert "patatt" not in kpt("show", "unknown").out
    assert "patatt jane@example.org: not checked (" in kpt("show", "unknown", "--patch", "2").out
    assert "not checked: ed25519 key of" in out
    assert "patatt" not in kpt("import", "good.mbox", "--name", "quiet", "--no-attest").out
    (ring / "default").write_bytes(base64.b64encode(bytes(key.verify_key)))
    failed = kpt("import", "bad.mbox", "--name", "bad")
    assert "1 verified; 1 FAILED: the" in failed.out
    said = "patch 1: the patatt signature of jane@example.org does not hold"
    assert any(problem.startswith(said) for problem in kpt("show", "bad", "--json").json["problems"])
