"""What names mean in a question."""

from __future__ import annotations

import pytest

from kpatch_tool.suites.named import means_the_log


@pytest.mark.parametrize(
    ("glob", "log"),
    [("kernel log", True), ("*kernel?log*", True), ("kernel*", True), ("*log*", False), ("*", False), ("dirty", False)],
)
def test_a_glob_that_matches_no_test_may_mean_the_log(glob: str, log: bool) -> None:
    assert means_the_log(glob, [("tlb", "dirty"), ("dirty_log_test",)]) is log
