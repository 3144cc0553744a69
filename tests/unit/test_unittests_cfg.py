"""Reading unittests.cfg as kvm-unit-tests' own scripts do, whatever its age."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.unittests_host import Host
from kpatch_tool.suites import unittests_cfg
from kpatch_tool.suites.arithmetic import evaluate
from kpatch_tool.suites.catalogue import SuiteKind
from kpatch_tool.suites.jobs import Place, plan
from kpatch_tool.suites.model import Test
from kpatch_tool.suites.unittests_cfg import NO_TIMEOUT, Here, parse
from kpatch_tool.suites.variants import DEFAULT, known
from kpatch_tool.suites.words import split
from kpatch_tool.system import process
from kpatch_tool.vm.wire import NOW


def read(
    text: str, directory: Path = Path("/nowhere"), nodefault: bool = False, accel: str = "kvm"
) -> tuple[Test, ...]:
    here = Here("s", directory, max_smp=4, nodefault=nodefault, accel=accel)
    return unittests_cfg.tests_of(parse(f"{text}\n"), here)


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
kvmtool_params = --mem 256
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
    assert test.qemu_args == ("-smp", "2", "-append", "-x 'y z' w", "-cpu", "qemu64,+x2apic", "-m", "4g")
    assert test.groups == {"vmexit", "tasks"}
    assert test.check == ("/sys/a=Y", "/sys/b=0")
    assert (test.accel, test.timeout, test.why_skip, test.why_not_built) == ("kvm", 120.0, "", "")
    assert test.duration == "2m"


def test_the_old_name_of_the_parameters_and_the_old_way_to_give_arguments() -> None:
    (test,) = read('[k]\nfile = k.flat\nextra_params = -append "10000000 `date +%s`" -enable-kvm\n')
    assert test.qemu_args == ("-smp", "1", "-append", f"10000000 {NOW}", "-enable-kvm")
    (test,) = read("[k]\nfile=k.flat\ntest_args = '10000000 `date +%s`'")
    assert test.qemu_args == ("-smp", "1", "-append", "10000000 `date +%s`")  # so says the shell of such quotes
    (test,) = read("[k]\nqemu_params = -m 1g\nextra_params = -m 2g\n")
    assert test.qemu_args == ("-smp", "1", "-m", "2g")


def test_the_time_is_that_of_the_start_of_the_test(tmp_path: Path) -> None:
    """Not that of the plan: kvmclock_test compares it with the clock of its guest, minutes after."""
    (tmp_path / "k.flat").write_bytes(b"")
    tests = read('[k]\nfile = k.flat\ntest_args = "10 `date +%s`"\n', tmp_path, accel="tcg")
    place = Place("/bin/echo", "tcg", "/none", None)
    (row,) = plan("s", SuiteKind.UNIT_TESTS, tests, [known()[DEFAULT]], None, place=place)
    before = int(time.time())
    Host(Path("/bin/echo"), "tcg", tmp_path).run(row)
    said = (tmp_path / "k.txt").read_text()
    dates = [int(word) for word in said.split() if word.isdigit() and len(word) == 10]
    assert len(dates) == 1 and before <= dates[0] <= time.time() and NOW not in said


def test_parameters_over_several_lines() -> None:
    (test,) = read('[k]\nqemu_params = """-cpu max \\\n -append \'a\nb\' """\ntimeout = 5\n')
    assert test.qemu_args == ("-smp", "1", "-cpu", "max", "-append", "a\nb")
    assert (test.timeout, test.duration) == (5, "5")
    assert parse('[k]\nqemu_params = """-cpu\n').problems == ('line 2: """ is never closed',)


def test_defaults() -> None:
    (test,) = read("[k]\nfile = k.flat\n")
    assert (test.duration, test.why_skip) == ("90s", "Test file 'x86/k.flat' not found")
    assert test.qemu_args == ("-smp", "1")
    assert (test.timeout, test.why_not_built) == (90.0, "")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", NO_TIMEOUT), ("0s", NO_TIMEOUT), ("1.5", 1.5), ("2m", 120.0), ("1h", 3600.0), ("1d", 86400)],
)
def test_timeouts_are_those_of_timeout_1(text: str, seconds: float) -> None:
    assert read(f"[k]\ntimeout = {text}\n")[0].timeout == seconds


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("arch = i386", "i386 only"),
        ("groups = vmx nodefault", "test marked as manual run only"),
        ("groups = nodefault\narch = i386", "test marked as manual run only"),
        ("arch = i386\naccel = tcg", "i386 only"),
        ("groups = pv-host", "no gen-se-header available for pv-host test"),
        ("accel = tcg", "tcg only, but ACCEL=kvm"),
        ("file = a.flat", "Test file 'x86/a.flat' not found"),
        ("", "Test file '' not found"),
        ("disabled_if = [ -e /x ]", "has a condition in shell: [ -e /x ]"),
        ("qemu_params = $(rm -rf /)", "unittests.cfg line 1: needs a shell for `rm -rf /`: -smp 1  $(rm -rf /)"),
        ("test_args = `id`", "unittests.cfg line 1: needs a shell for `id`: -smp 1 -append `id` "),
        ("test_args = 'open", "unittests.cfg line 1: a quotation has no end: -smp 1 -append 'open "),
        ("smp = $HOME", "unittests.cfg line 1: needs a shell for $HOME: -smp $HOME  "),
        ("qemu_params = -m 1g; reboot", "unittests.cfg line 1: needs a shell for ';': -smp 1  -m 1g; reboot"),
        ("smp = $((1) )", "unittests.cfg line 1: needs a shell for $(( that is no arithmetic: -smp $((1) )  "),
        ("smp = $((1 + (2)", "unittests.cfg line 1: a quotation has no end: -smp $((1 + (2)  "),
        ("timeout = soon", "unittests.cfg line 1: timeout: soon"),
        ("test_args = " + "x " * 301, "unittests.cfg line 1: more words than a guest takes"),
        ("check = " + "/x=1 " * 101, "unittests.cfg line 1: more words than a guest takes"),
        ("file = ../../etc/passwd", "unittests.cfg line 1: no usable `file`"),
        ("file = /etc/passwd", "unittests.cfg line 1: no usable `file`"),
    ],
)
def test_what_cannot_run_says_why(lines: str, reason: str) -> None:
    (test,) = read(f"[k]\n{lines}\n")
    assert test.why_skip == reason
    assert test.path is None


def test_words_of_groups_are_whole() -> None:
    assert read("[k]\ngroups = nodefaults,nodefault\n")[0].why_skip == "Test file '' not found"


def test_a_group_migration_runs_as_any_other() -> None:
    """x86/run of upstream does not look at it."""
    assert read("[k]\nfile = a\ngroups = migration\n")[0].why_skip == "Test file 'x86/a' not found"


def test_a_check_without_a_value_is_one_of_itself() -> None:
    assert read("[k]\ncheck = /sys/a=b=c  nonsense\n")[0].check == ("/sys/a=b=c", "nonsense=nonsense")


def test_the_accelerator_at_hand() -> None:
    assert read("[k]\nfile = k\naccel = kvm\n", accel="tcg")[0].why_skip == "kvm only, but ACCEL=tcg"
    assert read("[k]\nfile = k\naccel = tcg\n", accel="tcg")[0].why_skip == "Test file 'x86/k' not found"


def test_by_hand_when_asked_for() -> None:
    assert read("[k]\nfile = k\ngroups = nodefault\n", nodefault=True)[0].why_skip == "Test file 'x86/k' not found"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("$MAX_SMP", ("4",)),
        ("${MAX_SMP}", ("4",)),
        ("$(($MAX_SMP*2))", ("8",)),
        ("$((($MAX_SMP < 3)?$MAX_SMP:3))", ("3",)),
        ("$((($MAX_SMP - 1) * (2)))", ("6",)),
        ("$(( ($MAX_SMP) ))$((1))", ("41",)),
        ("4,sockets=2", ("4,sockets=2",)),
        ("1000", ("1000",)),
        ("2 -m 1g # four", ("2", "-m", "1g")),
    ],
)
def test_numbers_of_processors(text: str, words: tuple[str, ...]) -> None:
    assert read(f"[k]\nsmp = {text}\n")[0].qemu_args == ("-smp", *words)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("test_args = ept_access* b", ("-append", "ept_access*", "b")),
        ('test_args = ""', ("-append", "")),
        ("test_args =", ("-append",)),
        ('test_args = "a \\"b\\" \\c"', ("-append", 'a "b" \\c')),
        ("qemu_params = -cpu max # all of it", ("-cpu", "max")),
        ("test_args = x # y\nqemu_params = -cpu max", ("-append", "x")),
        ("qemu_params = a#b", ("a#b",)),
    ],
)
def test_words_are_the_shells(lines: str, words: tuple[str, ...]) -> None:
    assert read(f"[k]\n{lines}\n")[0].qemu_args == ("-smp", "1", *words)


_PIECES = [*"ab ='\"\\#,-\t", "\\\n", "$((1+2))", "$((2*(1+(2))))", "${MAX_SMP}", "`date +%s`", "$(date +%s)"]
_BASH = """\
MAX_SMP=4; date() { echo 77; }
while IFS= read -r -d '' line; do
    if (eval ": $line") 2>/dev/null; then eval "set -- $line"; printf '%s\\x01' "$@"; else printf 'error\\x01'; fi
    printf '%s\\x02' "$#"
done
"""


def test_bash_splits_the_same_way(tmp_path: Path) -> None:
    """Bash itself is asked; kpt may refuse what bash takes, but never split it another way."""
    random = Random(1)
    lines = ["".join(random.choices(_PIECES, k=random.randint(0, 12))) for _ in range(1500)]
    done = process.run(["bash", "-c", _BASH], stdin="".join(f"{line}\0" for line in lines).encode(), cwd=tmp_path)
    answers = done.stdout.decode().split("\x02")[:-1]
    assert len(answers) == len(lines)
    compared = 0
    for line, answer in zip(lines, answers, strict=True):
        try:
            mine = split(line, {"MAX_SMP": 4}, {"date +%s": "77"})
        except ValueError:
            continue
        compared += 1
        *theirs, count = answer.split("\x01")
        assert list(mine) == theirs[: int(count)], line
    assert compared > len(lines) // 2


def test_problems_have_lines_and_nothing_is_lost() -> None:
    config = parse("file = early\n[a]\nfile = a\nwhat is this\ncolour = red\n[a]\n[b]\nsmp = 2")
    assert [section.name for section in config.sections] == ["a", "a #2", "b"]
    assert config.problems == (
        "line 1: file outside of a [name]",
        "line 4: neither [name] nor key = value: what is this",
        "line 5: unknown key colour",
        "line 8: has no newline at its end, so that kvm-unit-tests does not read it",
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


def test_what_no_suite_needs(tmp_path: Path) -> None:
    """NUL (which bash drops, too), a test that may take years, names that differ far behind only."""
    (tmp_path / "a.flat").write_bytes(b"")
    long = "n" * 300
    first, second = read(
        f"[{long}a]\nfile = a.flat\nextra_params = -cpu a\0b\ntimeout = 999999d\n[{long}b]\n", tmp_path
    )
    assert first.qemu_args == ("-smp", "1", "-cpu", "ab")
    assert first.timeout == 24 * 3600
    assert (first.name, second.name) == ("n" * 100, "n" * 100 + " #2")
