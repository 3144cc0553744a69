"""The guest's pure parts: archive, wire, ELF, command line, trial image."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpatch_tool.errors import MachineError
from kpatch_tool.suites import unittests_cfg
from kpatch_tool.system import process, sandbox
from kpatch_tool.vm import accel, qemu, root, session, wire
from kpatch_tool.vm.cpio import Entry, write_archive
from kpatch_tool.vm.elf import interpreter, libraries, parse_list, strangers_libraries
from kpatch_tool.vm.guest import Patience, _program, run_guest
from kpatch_tool.vm.model import GuestStatus, GuestWork, Job, JobGroup, ModuleLoad
from kpatch_tool.vm.record import Numbered
from kpatch_tool.vm.session import Console, Ended, How
from kpatch_tool.vm.wire import MOST_FIELDS, Frame, FrameReader, FrameType, Step, WireError, encode_program


def archive(*entries: Entry) -> bytes:
    out = io.BytesIO()
    write_archive(out, entries)
    return out.getvalue()


def frame(kind: str, number: int, data: bytes, clock: int = 0) -> bytes:
    return struct.pack("<IIIIQ", 0x4654504B, ord(kind), number, len(data), clock) + data


class TestArchive:
    @pytest.mark.skipif(shutil.which("cpio") is None, reason="needs cpio")
    def test_cpio_unpacks_what_was_packed(self, tmp_path: Path) -> None:
        source = tmp_path / "source"
        source.write_bytes(b"from the host\n")
        data = archive(Entry("/a/b/c", 0o755, b"odd"), Entry("/top", 0o600, source=source))
        target = tmp_path / "target"
        target.mkdir()
        done = process.run(["cpio", "-idm", "--quiet"], cwd=target, stdin=data)
        assert done.status == 0, done.stderr
        assert (target / "a/b/c").read_bytes() == b"odd"
        assert (target / "a/b/c").stat().st_mode & 0o777 == 0o755
        assert (target / "top").read_bytes() == b"from the host\n"
        assert (target / "top").stat().st_mode & 0o777 == 0o600

    def test_the_same_entries_give_the_same_bytes_in_any_order(self) -> None:
        one, two = Entry("/b", data=b"1"), Entry("/a/x", data=b"2")
        assert archive(one, two) == archive(two, one)

    def test_whole_blocks_so_that_another_archive_can_follow(self) -> None:
        assert len(archive(Entry("/b", data=b"1"))) % 512 == 0

    def test_the_first_of_two_entries_counts(self) -> None:
        data = archive(Entry("/a", data=b"first"), Entry("/a", data=b"second"))
        assert b"first" in data
        assert b"second" not in data

    def test_a_missing_source_is_one_line(self, tmp_path: Path) -> None:
        with pytest.raises(MachineError, match="no such file"):
            archive(Entry("/a", source=tmp_path / "nothing"))


class TestWire:
    def test_frames_cut_anywhere_come_out_whole(self) -> None:
        stream = frame("B", 0, b"6.1\namd", 5 * 10**9) + frame("O", 1, b"x" * 1000) + frame("X", 0, b"")
        whole = FrameReader().feed(stream)
        assert [f.type for f in whole] == [FrameType.BOOTED, FrameType.OUTPUT, FrameType.DONE]
        assert whole[0].clock == pytest.approx(5.0)
        reader = FrameReader()
        assert [f for at in range(len(stream)) for f in reader.feed(stream[at : at + 1])] == whole

    @pytest.mark.parametrize(
        "stream",
        [
            b"this is no frame at all, not even close",
            frame("Z", 0, b""),
            struct.pack("<IIIIQ", 0x4654504B, ord("O"), 0, 1 << 30, 0),
            struct.pack("<IIIIQ", 0x4654504B, 0x7FFFFFFF, 0, 0, 0),
        ],
    )
    def test_what_is_no_frame_is_refused(self, stream: bytes) -> None:
        with pytest.raises(WireError):
            FrameReader().feed(stream)

    @given(st.binary(max_size=300))
    def test_garbage_never_ends_in_another_error(self, data: bytes) -> None:
        with contextlib.suppress(WireError):
            FrameReader().feed(data)

    def test_text_of_a_frame_moves_no_cursor(self) -> None:
        assert "\x1b" not in Frame(FrameType.ENDED, 1, 0.0, b"exit \x1b[2J\xff").text()

    def test_program(self) -> None:
        assert encode_program([Step("G"), Step("M", ("ab", ""))]) == (
            b"G\0\0\0\0" + b"M\2\0\0\0" + b"\2\0\0\0ab\0" + b"\0\0\0\0\0"
        )

    def test_the_modules_of_every_group_go_also_the_last(self) -> None:
        """A fault in what unloads a module is seen where a suite has but one variant, too."""
        job = Job("one", ("/one",), 5.0, (), 1000)
        groups = tuple(JobGroup((ModuleLoad(Path("kvm.ko"), "kvm", "", ""),), (job,)) for _ in range(2))
        left = [Numbered(number, group, job) for number, group in ((1, 0), (2, 1))]
        steps = _program(GuestWork(Path("bzImage"), groups), left)
        assert "".join(step.kind for step in steps) == "GMRGMRG"

    def test_the_most_fields_that_init_reads(self) -> None:
        """What the suites may ask for is fewer; init would take one more for the end of the program."""
        source = (Path(wire.__file__).parent / "init/init.c").read_text()
        assert f"#define MAX_FIELDS {MOST_FIELDS + 1}\n" in source and "*n >= MAX_FIELDS" in source
        assert unittests_cfg._MOST_WORDS + unittests_cfg._MOST_CHECKS + 100 < MOST_FIELDS
        with pytest.raises(ValueError, match="512 fields"):
            encode_program([Step("R", ("x",) * (MOST_FIELDS + 1))])

    def test_no_nul_in_a_program(self) -> None:
        with pytest.raises(ValueError, match="NUL"):
            encode_program([Step("R", ("a\0b",))])


class TestElf:
    def test_a_dynamic_program_names_its_loader(self) -> None:
        program = Path("/bin/true")
        loader = interpreter(program.read_bytes()[:65536])
        assert loader is not None
        assert loader in libraries(program)
        assert any("libc.so" in path for path in libraries(program))

    def test_programs_of_strangers_have_the_same_libraries(self, tmp_path: Path) -> None:
        programs = [self.made(tmp_path, "one"), self.made(tmp_path, "two", "-lm", "-Wl,--no-as-needed")]
        wanted = {path for program in programs for path in libraries(program)}
        assert set(strangers_libraries(programs)) == wanted
        assert strangers_libraries([self.made(tmp_path, "three", "-static")]) == ()

    def test_a_loader_of_a_strangers_is_not_run(self, tmp_path: Path) -> None:
        """A program names its loader: kpt would run that outside of every sandbox."""
        evil = tmp_path / "evil"
        evil.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        evil.chmod(0o755)
        (tmp_path / "ld.so").symlink_to(evil)
        for loader in (
            evil,
            "/bin/../" / evil.relative_to("/"),
            "relative",
            "/proc/self/exe",
            "/dev/zero",
            "/bin/true",
            "/bin/sh",
            f"{tmp_path}/ld.so",
        ):
            program = self.made(tmp_path, "evil-program", f"-Wl,--dynamic-linker={loader}")
            with pytest.raises(MachineError, match="none of this machine's libraries"):
                strangers_libraries([program])
        assert not (tmp_path / "ran").exists()

    def test_no_file_of_the_users_becomes_a_library(self, tmp_path: Path) -> None:
        """It would be copied into the guest, which may print it."""
        mine = tmp_path / "mine.so"
        self.made(tmp_path, "mine.so", "-shared", "-fPIC")
        program = self.made(tmp_path, "reader", "-Wl,--no-as-needed", str(mine))
        with pytest.raises(MachineError, match="libraries"):
            strangers_libraries([program])

    @staticmethod
    def made(where: Path, name: str, *options: str) -> Path:
        (where / "p.c").write_text("int main(void) { return 0; }\n")
        subprocess.run(["gcc", "-o", where / name, where / "p.c", *options], check=True)
        return where / name

    @pytest.mark.parametrize("head", [b"", b"#!/bin/sh\n", b"\x7fELF\x01\x01" + bytes(100), b"\x7fELF\x02\x01"])
    def test_no_program(self, head: bytes) -> None:
        with pytest.raises(ValueError, match="ELF"):
            interpreter(head)

    def test_static(self) -> None:
        head = bytearray(64)
        head[:6] = b"\x7fELF\x02\x01"
        assert interpreter(bytes(head)) is None

    def test_list_of_the_loader(self) -> None:
        text = (
            "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibc.so.6 => /lib/x86 64/libc.so.6 (0x00007f1c)\n"
            "\t/lib64/ld-linux-x86-64.so.2 (0x00007f1d)\n"
        )
        assert parse_list(text, Path("p")) == ("/lib/x86 64/libc.so.6", "/lib64/ld-linux-x86-64.so.2")

    def test_a_missing_library_is_named(self) -> None:
        with pytest.raises(MachineError, match=r"libgone\.so\.1"):
            parse_list("\tlibgone.so.1 => not found\n", Path("p"))

    def test_a_script_cannot_run_in_the_guest(self, tmp_path: Path) -> None:
        script = tmp_path / "script"
        script.write_text("#!/bin/sh\n")
        with pytest.raises(MachineError, match="guest"):
            libraries(script)


class TestMachine:
    def test_command_line(self) -> None:
        machine = qemu.Machine("tcg", "EPYC", 512, 3)
        words = qemu.command_line(Path("/q"), machine, Path("/k"), Path("/i"), qemu.Wires(5, 6, 7), extra=("-x",))
        text = " ".join(words)
        assert words[:5] == ("setpriv", "--pdeathsig", "KILL", "--", "/q")
        for part in ("-accel tcg,thread=multi -cpu EPYC", "-m 512 -smp 3", "-nodefaults", "-no-user-config", "fd=7"):
            assert part in text
        assert words[-1] == "-x"
        assert "panic=-1" in words[words.index("-append") + 1]
        assert "spare" not in text

    def test_spare_processors_come_on_top(self) -> None:
        machine = accel.Choice("tcg", "7.2", "").machine(smp=2, memory=512)
        text = " ".join(qemu.command_line(Path("/q"), machine, Path("/k"), Path("/i"), qemu.Wires(5, 6, 7)))
        assert "-m 512 -smp 3" in text and "panic=-1 oops=panic loglevel=5 rdinit=/init spare_cpus=1" in text
        assert accel.Choice("kvm", "7.2", "").machine().spare == 0

    @pytest.mark.skipif(bool(sandbox.missing()), reason=sandbox.missing() or "works")
    def test_command_line_in_a_room(self, tmp_path: Path) -> None:
        """Of the host QEMU sees the system, its kernel and its initrd, read-only, and /dev/kvm where it is used."""
        kernel, initrd = tmp_path / "kernel", tmp_path / "initrd"
        for path in (kernel, initrd):
            path.write_bytes(b"")
        for accelerator in ("tcg", "kvm"):
            machine = qemu.Machine(accelerator, "host")
            if accelerator == "kvm" and not Path("/dev/kvm").exists():
                continue
            words = qemu.command_line(qemu.find(), machine, kernel, initrd, qemu.Wires(5, 6, 7))
            assert words[0] == "bwrap"
            assert "--unshare-net" in words and "--die-with-parent" in words
            given = [words[at + 1] for at, word in enumerate(words) if word in ("--ro-bind", "--bind")]
            assert [path for path in given if path.startswith(str(tmp_path))] == [str(kernel), str(initrd)]
            assert "--bind" not in words
            assert ("--dev-bind /dev/kvm /dev/kvm" in " ".join(words)) is (accelerator == "kvm")

    def test_trial_image_is_multiboot(self) -> None:
        image = accel.trial_image()
        magic, flags, checksum = struct.unpack_from("<3I", image)
        assert magic == 0x1BADB002
        assert (magic + flags + checksum) & 0xFFFFFFFF == 0
        assert accel.proven(5)
        assert accel.proven(7)
        assert not any(accel.proven(status) for status in (0, 1, 3, 6, 9, -9))

    def test_what_was_asked_for_is_taken(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        version = tmp_path / "qemu"
        version.write_text("#!/bin/sh\necho QEMU emulator version 9.9 '(Mine)'\n")
        version.chmod(0o755)

        def never(machine: qemu.Machine) -> accel.Trial:
            raise AssertionError("no trial was wanted")

        choice = accel.choose(tmp_path, version, "tcg", never)
        assert (choice.accel, choice.qemu_version) == ("tcg", "9.9 (Mine)")
        assert choice.machine().cpu == "EPYC"
        monkeypatch.setenv(accel.ENVIRONMENT, "kvm")
        assert accel.choose(tmp_path, version, None, never).machine().cpu == "host"
        assert accel.choose(tmp_path, version, "tcg", never).accel == "tcg"
        monkeypatch.setenv(accel.ENVIRONMENT, "warp")
        with pytest.raises(Exception, match="warp"):
            accel.choose(tmp_path, version, None, never)

    def test_the_answer_of_a_trial_is_kept_until_qemu_changes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        program = tmp_path / "qemu"
        tried = []

        def install(number: int) -> None:
            program.write_text(
                f"#!/bin/sh\n[ $1 = --version ] && echo QEMU emulator version {number} && exit\nexit 7\n"
            )
            program.chmod(0o755)

        def nests(machine: qemu.Machine) -> accel.Trial:
            tried.append(machine)
            return accel.Trial(len(tried) == 1, "it hung")

        monkeypatch.setattr(accel, "_DEVICE", tmp_path)
        install(1)
        assert accel.choose(tmp_path, program, None, nests).accel == "kvm"
        assert accel.choose(tmp_path, program, None, nests).accel == "kvm"
        assert len(tried) == 1
        install(2)
        second = accel.choose(tmp_path, program, None, nests)
        assert second.accel == "tcg"
        assert "it hung" in second.why
        (tmp_path / "accel.json").write_text("{broken")
        assert accel.choose(tmp_path, program, None, nests).accel == "tcg"
        assert len(tried) == 3

    @pytest.mark.parametrize("where", ["the trial guest", "the guest inside it"])
    def test_a_trial_that_ran_out_of_time_is_soon_made_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
    ) -> None:
        """The machine may have been busy."""
        program, tried = tmp_path / "qemu", tmp_path / "tried"
        hang = "sleep 60" if where == "the trial guest" else "exit 7"
        program.write_text(
            f"#!/bin/sh\n[ $1 = --version ] && echo QEMU emulator version 1 && exit\necho >>{tried}\n{hang}\n"
        )
        program.chmod(0o755)
        monkeypatch.setattr(accel, "_DEVICE", tmp_path)
        monkeypatch.setattr(accel, "_TRIAL_SECONDS", 1.0)
        for times in (1, 1, 2):
            if times == 2:
                kept = json.loads((tmp_path / "accel.json").read_bytes())
                kept["tried"] -= 4000  # seconds
                (tmp_path / "accel.json").write_text(json.dumps(kept))
            choice = accel.choose(tmp_path, program, None, lambda machine: accel.Trial(False, "it hung", late=True))
            assert choice.accel == "tcg" and "hung" in choice.why
            assert len(tried.read_text()) == times

    def test_an_answer_ends_with_what_an_administrator_changes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`usermod -aG kvm`, `modprobe kvm_amd nested=1`: no boot is between them and the next run of kpt."""
        program = tmp_path / "qemu"
        program.write_text("#!/bin/sh\n[ $1 = --version ] && echo QEMU emulator version 1 && exit\nexit 7\n")
        program.chmod(0o755)
        device, nested = tmp_path / "kvm", tmp_path / "nested"
        monkeypatch.setattr(accel, "_DEVICE", device)
        monkeypatch.setattr(accel, "_NESTED", (tmp_path / "none", nested))

        def chosen() -> str:
            nests = nested.read_text() == "Y\n"
            return accel.choose(tmp_path, program, None, lambda machine: accel.Trial(nests, "no")).accel

        nested.write_text("N\n")
        assert chosen() == "tcg"
        device.touch()
        assert chosen() == "tcg"
        nested.write_text("Y\n")
        assert chosen() == "kvm"
        device.unlink()
        assert chosen() == "tcg"

    def test_a_trial_that_could_not_be_made_is_no_answer(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        program = tmp_path / "qemu"
        program.write_text("#!/bin/sh\n[ $1 = --version ] && echo QEMU emulator version 1 && exit\nexit 7\n")
        program.chmod(0o755)
        monkeypatch.setattr(accel, "_DEVICE", tmp_path)

        def full(machine: qemu.Machine) -> accel.Trial:
            raise MachineError("the disk is full")

        first = accel.choose(tmp_path, program, None, full)
        assert (first.accel, first.why) == ("tcg", "KVM could not be tried: the disk is full")
        assert accel.choose(tmp_path, program, None, lambda machine: accel.Trial(True)).accel == "kvm"


@pytest.mark.parametrize(
    ("deaths", "console", "expected"),
    [
        (9, b"kvm: loading\n", (GuestStatus.INFRA, 3)),
        (2, b"kvm: loading\n", (GuestStatus.OK, 3)),
        (9, b"kernel BUG at arch/x86/kvm/svm.c:1!\n", (GuestStatus.FAILED, 1)),
    ],
)
def test_a_qemu_that_is_killed_while_modules_load_is_no_fault_of_the_kernel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, deaths: int, console: bytes, expected: tuple[GuestStatus, int]
) -> None:
    """A machine short of memory kills the largest process; here each boot but those after `deaths` ends so."""

    def boot(
        _command: object, _task: object, _deadlines: object, said: Console, take: Callable[[Frame, float], None]
    ) -> Ended:
        booted.append(1)
        said.add(console)
        take(Frame(FrameType.BOOTED, 0, 0.0, b"6.1\namd"), 1.0)
        if len(booted) <= deaths:
            return Ended(How.QEMU, -9, "", 2.0, saved=False)
        take(Frame(FrameType.STARTED, 1, 1.0, b""), 1.5)
        take(Frame(FrameType.ENDED, 1, 2.0, b"exit 0"), 2.0)
        return Ended(How.DONE, 0, "", 3.0, saved=False)

    booted: list[int] = []
    monkeypatch.setattr(session, "boot", boot)
    monkeypatch.setattr(root, "base_layer", lambda *_: tmp_path / "base")
    monkeypatch.setattr(qemu, "seccomp_arguments", lambda _: ())
    kernel = tmp_path / "bzImage"
    kernel.touch()
    work = GuestWork(kernel, (JobGroup((), (Job("t", ("/t",), 9.0),)),))
    done = run_guest(
        work,
        qemu.Machine("tcg", "EPYC"),
        out=tmp_path / "out",
        cache=tmp_path,
        program=Path("/q"),
        patience=Patience(deaths=3, boots=1),
    )
    assert (done.status, len(done.boots)) == expected
    if done.status is GuestStatus.INFRA:
        assert done.why == done.outcomes[0].why == "QEMU ended by itself (status -9)"
