"""A search as `git bisect log` writes it, for `git bisect replay` in any clone that has the commits."""

from __future__ import annotations

from collections.abc import Sequence

from kpatch_tool.bisect.model import Answer, Observation
from kpatch_tool.text import printable
from kpatch_tool.tree.model import State


def git_log(states: Sequence[State], seen: Sequence[Observation]) -> str:
    """The log (git-bisect(1), "Bisect log and bisect replay"): the newest word on every state, in the order asked.

    A state whose answers disagreed gets the answer most of them gave.
    """
    commits = {state.patch: state for state in states}
    lines = ["git bisect start"]
    for patch in dict.fromkeys(one.patch for one in seen):
        word = _word([one.answer for one in seen if one.patch == patch])
        state = commits[patch]
        lines += [
            f"# {word}: [{state.commit}] {printable(state.subject) or 'the base'}",
            f"git bisect {word} {state.commit}",
        ]
    return "\n".join(lines) + "\n"


def _word(answers: Sequence[Answer]) -> Answer:
    return max(Answer, key=lambda answer: (answers.count(answer), answer is answers[-1]))
