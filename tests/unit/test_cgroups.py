"""What control groups leave of a machine, as containers show it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpatch_tool.system import cgroups, limits, process

GIB = 1 << 30

_V2 = "29 23 0:26 {root} /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
_V1 = (
    "25 18 0:21 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n"
    "31 25 0:26 {root} /sys/fs/cgroup/cpu,cpuacct ro shared:9 master:2 - cgroup cgroup rw,cpu,cpuacct\n"
    "32 25 0:27 {root} /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
)
_V1_OF = "5:memory:/{path}\n4:cpu,cpuacct:/{path}\n1:name=systemd:/{path}\n"


@pytest.mark.parametrize(
    ("controller", "memberships", "mounts", "found"),
    [
        ("cpu", "0::/\n", _V2.format(root="/"), ["/sys/fs/cgroup"]),
        ("cpu", "0::/a.slice/b\n", _V2.format(root="/"), ["/sys/fs/cgroup/a.slice/b", "/sys/fs/cgroup/a.slice",
                                                         "/sys/fs/cgroup"]),
        ("cpu", "0::/../x\n", _V2.format(root="/"), ["/sys/fs/cgroup"]),
        ("memory", _V1_OF.format(path="docker/1f"), _V1.format(root="/docker/1f"), ["/sys/fs/cgroup/memory"]),
        ("memory", _V1_OF.format(path="docker/1f"), _V1.format(root="/docker"), ["/sys/fs/cgroup/memory/1f",
                                                                                "/sys/fs/cgroup/memory"]),
        ("cpu", _V1_OF.format(path=""), _V1.format(root="/elsewhere"), ["/sys/fs/cgroup/cpu,cpuacct"]),
        ("cpu", "0::/\n", "29 23 0:26 / /a\\040b rw - cgroup2 cgroup2 rw\n", ["/a b"]),
        ("cpu", "0::/a\n", "36 35 98:0 / /mnt/a\x85b\x0b\u2028c\r rw - ext4 /dev/sda rw\n" + _V2.format(root="/a"),
         ["/sys/fs/cgroup"]),
        ("cpu", "0::/a\x85b\n", _V2.format(root="/"), ["/sys/fs/cgroup/a\x85b", "/sys/fs/cgroup"]),
        ("memory", "0::/a.slice\n", _V2.format(root="/") + "50 23 0:26 /b.slice /run/b rw - cgroup2 cgroup2 rw\n",
         ["/sys/fs/cgroup/a.slice", "/sys/fs/cgroup"]),
        ("cpu", "0::/\n", "", []),
        ("cpu", "", _V2.format(root="/"), []),
    ],
)  # fmt: skip
def test_where_a_group_is(controller: str, memberships: str, mounts: str, found: list[str]) -> None:
    assert [str(place) for place in cgroups.places(controller, memberships, mounts)] == found


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "250000 100000\n"}, 3),
        ({"cpu.max": "1000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.cfs_quota_us": "400000\n", "cpu.cfs_period_us": "100000\n"}, 4),
        ({"cpu.max": "1000 0\n"}, None),
        ({"cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
)
def test_quota_of_processors(tmp_path: Path, files: dict[str, str], count: int | None) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "above").mkdir()
    (tmp_path / "above/cpu.max").write_text("900000 100000\n")
    assert cgroups.quota([tmp_path]) == count
    assert cgroups.quota([tmp_path, tmp_path / "above"]) == (9 if count is None else count), "the least of all"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"memory.max": f"{4 * GIB}\n", "memory.current": f"{3 * GIB}\n"}, [(GIB, 4 * GIB)]),
        ({"memory.max": f"{4 * GIB}\n", "memory.current": f"{4 * GIB}\n",
          "memory.stat": f"anon 5\ninactive_file {GIB}\nactive_file {GIB}\nslab_reclaimable 7\n"},
         [(2 * GIB + 7, 4 * GIB)]),
        ({"memory.max": f"{4 * GIB}\n", "memory.current": f"{4 * GIB}\n",
          "memory.stat": f"some thing\ninactive_file {GIB}\n"}, [(GIB, 4 * GIB)]),
        ({"memory.max": f"{GIB}\n", "memory.current": f"{2 * GIB}\n"}, [(0, GIB)]),
        ({"memory.max": "max\n", "memory.current": f"{3 * GIB}\n"}, []),
        ({"memory.limit_in_bytes": f"{4 * GIB}\n", "memory.usage_in_bytes": f"{4 * GIB}\n",
          "memory.stat": f"inactive_file 0\ntotal_inactive_file {GIB}\n"}, [(GIB, 4 * GIB)]),
        ({}, []),
    ],
)  # fmt: skip
def test_room_in_memory(tmp_path: Path, files: dict[str, str], found: list[tuple[int, int]]) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert list(cgroups.room([tmp_path])) == found


def test_a_container_is_a_smaller_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "processors", lambda: 1)
    monkeypatch.setattr(cgroups, "memory", lambda: [(5 << 20, 1 << 60), (1 << 60, 7 << 20)])
    assert process.processors() == 1
    assert limits.memory() == (5 << 20, 7 << 20)
    assert limits.default_limits().memory == 2 * GIB
    monkeypatch.setattr(cgroups, "processors", lambda: 1 << 20)
    monkeypatch.setattr(cgroups, "memory", lambda: [(1 << 60, 1 << 60)])
    assert 0 < process.processors() < 1 << 20
    assert 0 < limits.memory()[0] <= limits.memory()[1] < 1 << 60
