"""How many CPUs this process may use: by affinity, and by a container's quota."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")


def available_cpus() -> int:
    """CPUs that this process may keep busy, at least one.

    `os.cpu_count()` counts the machine's. `taskset`, Slurm and Kubernetes narrow the affinity;
    `docker --cpus` sets a quota on time, which is rounded down.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity else (os.cpu_count() or 1)
    quota = cgroup_quota()
    return max(1, count if quota is None else min(count, int(quota)))


def cgroup_quota(root: Path = CGROUPS, own: Path = OWN_CGROUPS) -> float | None:
    """CPUs' worth of time that this process's control groups allow; None where they set no limit.

    A group's limit holds for the groups in it, so every level above counts too. In a container the
    path in `own` may be the host's: what does not exist is skipped, and the root is always read.

    Args:
        root: where control groups are mounted, of version 1 or 2.
        own: lines `number:controllers:path`, see cgroups(7).
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return None
    quotas = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        place = PurePosixPath(path.lstrip("/"))
        for mount in (root, root / "cpu", root / "cpu,cpuacct"):
            quotas += [_quota(mount / level) for level in (place, *place.parents)]
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota(folder: Path) -> float | None:
    """The quota of one control group: `cpu.max` in version 2, two files in version 1."""
    try:
        if (folder / "cpu.max").is_file():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        return float(quota) / float(period) if float(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):  # 'max': no limit
        return None
