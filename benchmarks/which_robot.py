"""Which robot is in the picture? A table of what is there against what `armsight estimate` says.

    python benchmarks/which_robot.py panda=HELD_OUT so101=HELD_OUT ... none=NO_ROBOT [--limit 100]
        [--weights FOLDER_OF_WEIGHTS_FOLDERS]

Each KIND=FOLDER is a folder of pictures in the layout of `armsight render --format ndds` that show
one arm of that kind, or none of the known ones. An answer counts as the kind of its surest arm
where that is sure (confidence of at least 0.5); 'unsure' is an arm below that, 'none' no arm at
all. Nothing but the picture is given: no intrinsics, no robot.

Of arms: how many are told right, of those that are answered surely and of all (Wilson intervals).
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from armsight.estimate.confidence import SURE_CONFIDENCE
from armsight.estimate.estimator import Estimator
from armsight.estimate.several_robots import SeveralRobots
from armsight.reports.intervals import wilson_interval

NONE, UNSURE = "none", "unsure"
SUFFIXES = (".rgb.jpg", ".rgb.png")


def told(several: SeveralRobots, pictures: Sequence[Path]) -> Counter[str]:
    """How often each kind is the answer."""
    counts: Counter[str] = Counter()
    for path in pictures:
        estimate = several(path)
        if not estimate.robot_found:
            counts[NONE] += 1
        else:
            counts[estimate.robot if estimate.confidence >= SURE_CONFIDENCE else UNSURE] += 1
    return counts


def pictures_of(folder: Path, limit: int) -> list[Path]:
    """The first pictures of a folder, by name."""
    names = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES))
    if not names:
        raise SystemExit(f"{folder} holds no pictures *{SUFFIXES[0]} or *{SUFFIXES[1]}")
    return names[:limit]


def show(table: dict[str, Counter[str]], kinds: Sequence[str]) -> None:
    columns = [*kinds, UNSURE, NONE]
    print(f"{'there':>10}" + "".join(f"{name:>8}" for name in columns) + f"{'n':>8}")
    for there, counts in table.items():
        cells = "".join(f"{counts[name]:8d}" for name in columns)
        print(f"{there:>10}{cells}{counts.total():8d}", flush=True)


def share(right: int, of: int) -> str:
    if not of:
        return "no answer"
    low, high = wilson_interval(right, of)
    return f"{100 * right / of:.1f} % [{100 * low:.1f}, {100 * high:.1f}] (n = {of})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", metavar="KIND=FOLDER")
    parser.add_argument("--limit", type=int, default=100, help="pictures of each folder")
    parser.add_argument("--weights", type=Path, help="a folder in place of the package's weights")
    given = parser.parse_args()
    named = [one.partition("=") for one in given.folders]
    if given.weights is None:
        several = SeveralRobots.from_pretrained()
    else:
        cards = sorted(given.weights.glob("*/model.json"))
        several = SeveralRobots([Estimator.from_pretrained(str(card.parent)) for card in cards])
    kinds = list(several.estimators)
    table: dict[str, Counter[str]] = {}
    for kind, _, folder in named:
        table[kind] = told(several, pictures_of(Path(folder), given.limit))
        show({kind: table[kind]}, kinds)
    print()
    show(table, kinds)
    arms = {kind: counts for kind, counts in table.items() if kind in kinds}
    right = sum(counts[kind] for kind, counts in arms.items())
    sure = sum(counts[kind] for counts in arms.values() for kind in kinds)
    every = sum(counts.total() for counts in arms.values())
    print(f"arms told right, of those answered surely: {share(right, sure)}")
    print(f"arms told right, of all: {share(right, every)}")
    if NONE in table:
        false = sum(table[NONE][kind] for kind in kinds)
        print(
            f"pictures without an arm that are answered surely: {share(false, table[NONE].total())}"
        )


if __name__ == "__main__":
    main()
