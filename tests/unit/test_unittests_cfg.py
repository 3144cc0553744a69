"""Reading unittests.cfg as kvm-unit-tests' own scripts do, whatever its age."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpatch_tool.suites import unittests_cfg
from kpatch_tool.suites.arithmetic import evaluate
from kpatch_tool.suites.model import Test
from kpatch_tool.suites.unittests_cfg import DEFAULT_TIMEOUT, NO_TIMEOUT, Here, parse


def read(text: str, directory: Path = Path("/nowhere"), **options: bool) -> tuple[Test, ...]:
    return unittests_cfg.tests_of(parse(text), Here("s", directory, max_smp=4, now=1_400_000_000, **options))


def test_every_key(tmp_path: Path) -> None:
    (tmp_path / "a.flat").write_bytes(b"")
    (test,) = read(
        """\
# a comment
[one]
file = a.flat
smp = 2
test_args = "-x 'y z' w"
qemu_params = -cpu qemu64,+x2apic -m 4g
groups = vmexit tasks
arch = x86_64
machine = q35
check = /sys/a=Y /sys/b=0
accel = kvm
timeout = 2m
""",
        tmp_path,
    )
    assert test.name == "one"
    assert test.path == tmp_path / "a.flat"
    assert test.smp == 2
    assert test.args == ("-x 'y z' w",)
    assert test.qemu_args == ("-cpu", "qemu64,+x2apic", "-m", "4g")
    assert test.groups == {"vmexit", "tasks"}
    assert test.check == ("/sys/a=Y", "/sys/b=0")
    assert (test.accel, test.timeout, test.why_skip, test.why_not_built) == ("kvm", 120.0, "", "")


def test_the_old_name_of_the_parameters_and_the_old_way_to_give_arguments() -> None:
    (test,) = read('[k]\nfile = k.flat\nextra_params = -append "10000000 `date +%s`" -enable-kvm\n')
    assert test.qemu_args == ("-append", "10000000 1400000000", "-enable-kvm")
    (test,) = read("[k]\nfile=k.flat\ntest_args = '10000000 `date +%s`'")
    assert test.args == ("10000000 1400000000",)


def test_parameters_over_several_lines() -> None:
    (test,) = read('[k]\nqemu_params = """-cpu max \\\n -append \'a\nb\' """\ntimeout = 5\n')
    assert test.qemu_args == ("-cpu", "max", "-append", "a\nb")
    assert test.timeout == 5
    assert parse('[k]\nqemu_params = """-cpu\n').problems == ('line 2: """ is never closed',)


def test_defaults() -> None:
    (test,) = read("[k]\nfile = k.flat\n")
    assert (test.smp, test.args, test.qemu_args, test.timeout) == (1, (), (), DEFAULT_TIMEOUT)
    assert test.why_not_built == "k.flat was not built"
    assert read("[k]\ntimeout = 0\n")[0].timeout == NO_TIMEOUT


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("arch = i386", "i386 only"),
        ("groups = vmx nodefault", "by hand"),
        ("groups = migration", "migration"),
        ("accel = tcg", "accelerator tcg"),
        ("disabled_if = [ -e /x ]", "condition in shell"),
        ("check = nonsense", "PATH=VALUE"),
        ("qemu_params = $(rm -rf /)", "needs a shell"),
        ("test_args = `id`", "needs a shell"),
        ("test_args = 'open", "quotation"),
        ("smp = 1000", "1000 CPUs"),
        ("smp = $HOME", "unknown 'HOME'"),
        ("timeout = soon", "timeout: soon"),
        ("file = ../../etc/passwd", "no usable `file`"),
        ("file = /etc/passwd", "no usable `file`"),
        ("", "no usable `file`"),
    ],
)
def test_what_cannot_run_says_why(lines: str, reason: str) -> None:
    (test,) = read(f"[k]\n{lines}\n")
    assert reason in test.why_skip.lower() or reason in test.why_skip
    assert test.path is None


def test_by_hand_when_asked_for() -> None:
    assert read("[k]\nfile = k\ngroups = nodefault\n", nodefault=True)[0].why_skip == ""


@pytest.mark.parametrize(
    ("text", "smp", "arguments"),
    [
        ("$MAX_SMP", 4, ()),
        ("$(($MAX_SMP*2))", 8, ()),
        ("$((($MAX_SMP < 3)?$MAX_SMP:3))", 3, ()),
        ("4,sockets=2", 4, ("-smp", "4,sockets=2")),
    ],
)
def test_numbers_of_processors(text: str, smp: int, arguments: tuple[str, ...]) -> None:
    (test,) = read(f"[k]\nsmp = {text}\n")
    assert (test.smp, test.qemu_args) == (smp, arguments)


def test_problems_have_lines_and_nothing_is_lost() -> None:
    config = parse("file = early\n[a]\nfile = a\nwhat is this\ncolour = red\n[a]\n[b]\n")
    assert [section.name for section in config.sections] == ["a", "a #2", "b"]
    assert config.problems == (
        "line 1: file outside of a [name]",
        "line 4: neither [name] nor key = value: what is this",
        "line 5: unknown key colour",
    )


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    read("[k]\n" + text)
    read(text)
    for key in ("smp", "test_args", "timeout", "check"):
        read(f"[k]\n{key} = {text}\n")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1 + 2 * 3", 7), ("(1+2)*3", 9), ("7 / 2 - -1", 4), ("7 % 4 == 3", 1), ("1 ? 2 : 0 ? 3 : 4", 2), ("X<=3", 1)],
)
def test_arithmetic(text: str, value: int) -> None:
    assert evaluate(text, {"X": 3}) == value


@pytest.mark.parametrize(
    "text", ["", "1 +", "1 / 0", "(1", "1 2", "a", "1;2", "(" * 1000, "9" * 1000, "-" * 2000 + "1"]
)
def test_no_arithmetic(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        evaluate(text, {})
