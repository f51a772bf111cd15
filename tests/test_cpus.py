"""CPUs by affinity and quota, against folders that look like control groups and a real affinity."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from armsight.cpus import available_cpus, cgroup_quota


def groups(folder: Path, own: str, files: dict[str, str]) -> float | None:
    for name, text in files.items():
        path = folder / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "own").write_text(own)
    return cgroup_quota(folder / "cgroup", folder / "own")


@pytest.mark.parametrize(
    ("own", "files", "quota"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/a/b\n", {"a/cpu.max": "400000 100000", "a/b/cpu.max": "max 100000"}, 4.0),
        ("0::/a/b\n", {"a/cpu.max": "200000 100000", "a/b/cpu.max": "300000 100000"}, 2.0),
        ("0::/of/the/host\n", {"cpu.max": "50000 100000"}, 0.5),
        ("4:cpu,cpuacct:/x\n3:cpuset:/\n",
         {"cpu/x/cpu.cfs_quota_us": "300000\n", "cpu/x/cpu.cfs_period_us": "100000\n"}, 3.0),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ("0::/\n", {"cpu.max": "nonsense"}, None),
        ("0::/\n", {"cpu.max": "100 0"}, None),
    ],
)  # fmt: skip
def test_quotas(tmp_path: Path, own: str, files: dict[str, str], quota: float | None) -> None:
    assert groups(tmp_path, own, files) == quota


def test_no_control_groups(tmp_path: Path) -> None:
    assert cgroup_quota(tmp_path, tmp_path / "none") is None


def test_a_quota_narrows_and_never_widens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    for quota, count in ((None, 8), (2.7, 2), (0.3, 1), (64.0, 8)):
        monkeypatch.setattr("armsight.cpus.cgroup_quota", lambda quota=quota: quota)
        assert available_cpus() == count


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_a_narrowed_process_counts_what_is_left() -> None:
    script = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from armsight.cpus import available_cpus; print(available_cpus())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "1", done.stderr
