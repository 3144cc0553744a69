"""A series of three patches as a mailbox, for the tests that answer it by mail."""

from __future__ import annotations

_DIFF = """diff --git a/arch/x86/kvm/mmu.c b/arch/x86/kvm/mmu.c
--- a/arch/x86/kvm/mmu.c
+++ b/arch/x86/kvm/mmu.c
@@ -9,4 +9,5 @@ static void bar(void)
 {
 \tint r;

+\tfoo();
 \treturn r;
"""
WHO = "Jürgen Dœ <jd@example.org>"


def thread(revision: str = " v5") -> str:
    """The mailbox: a cover letter and three patches, whose subjects say `revision`."""
    cover = _mail(0, f"[PATCH{revision} 0/3] KVM: do all of it", "It does it.\nReally.\n\nAnd more.\n",
                 cc="Cc: Test Person <test@example.org>,\n\tlkml@vger.example.org\n")  # fmt: skip
    return cover + "".join(
        _mail(
            number,
            f"[PATCH{revision} {number}/3] KVM: {name}",
            f"Why it does {name}.\n\nSigned-off-by: {WHO}\n---\n{_DIFF}-- \n2.39.5\n",
            cc="Cc: lkml@vger.example.org\n",
        )
        for number, name in enumerate(("one", "two", "three"), 1)
    )


def _mail(number: int, subject: str, text: str, *, cc: str = "") -> str:
    answers = "In-Reply-To: <c@example.org>\nReferences: <first@example.org>\n\t<c@example.org>\n" if number else ""
    return (
        f"From mboxrd@z Thu Jan  1 00:00:00 1970\nFrom: {WHO}\nSubject: {subject}\n"
        f"Date: Thu, 17 Apr 2014 09:0{number}:00 +0200\nMessage-ID: <{f'p{number}' if number else 'c'}@example.org>\n"
        f'{answers}To: kvm@vger.example.org, "Doe, Jane" <jane@example.org>\n{cc}'
        f"Content-Type: text/plain; charset=utf-8\n\n{text}\n"
    )
