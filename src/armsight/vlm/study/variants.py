"""The rows of the study's table: per-target errors, failures, cost and latency of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.camera.image import load_image
from armsight.errors import ArmsightError
from armsight.evaluate.poses import metrics
from armsight.vlm.ask import ModelAnswer
from armsight.vlm.ensemble import merge
from armsight.vlm.parse import FAILURES
from armsight.vlm.providers.prices import Prices
from armsight.vlm.study.pairs import Pair, PairSet

Array = NDArray[np.floating]

UNIFORM_DRAWS = 64
"""Poses drawn for each target by the baseline 'uniform within limits'"""


@dataclass(frozen=True)
class Variant:
    """One way to answer all targets.

    N targets, D draws of each (1 but for random answers), J joints.
    """

    name: str
    baseline: bool
    poses: Array
    """(N, D, J) [rad], NaN where there is no answer"""
    model: str = ""
    effort: str | None = None
    references: int = 0
    samples: int = 0
    merge: str = ""
    refine: int = 0
    asked: int = 0
    """Samples that were asked for, over all targets"""
    failures: dict[str, int] = field(default_factory=dict)
    """Samples of each kind of failure"""
    violations: int = 0
    """Samples with a joint outside of its limits"""
    repairs: int = 0
    cost: Array | None = None
    """(N,) [USD]"""
    seconds: Array | None = None
    """(N,) the slowest of a target's samples"""
    note: str = ""

    def errors_deg(self, pairs: PairSet) -> Array:
        """(N, D, J) absolute errors [deg]; no answer has the ready pose's."""
        ready = pairs.robot.ready_positions
        poses = np.where(self.lost[..., None], ready, self.poses)
        return metrics.joint_errors_deg(poses, truth(pairs)[:, None])

    @property
    def lost(self) -> NDArray[np.bool_]:
        """(N, D) no answer"""
        lost: NDArray[np.bool_] = np.asarray(np.isnan(self.poses).any(axis=-1))
        return lost

    def add_m(self, pairs: PairSet) -> Array:
        """(N, D) ADD [m] over the link origins with the true camera pose; infinite: no answer.

        With the camera's pose known, distances in the camera frame are those in the base frame.
        """
        robot, count = pairs.robot, pairs.robot.num_origin_keypoints
        safe = np.where(self.lost[..., None], robot.ready_positions, self.poses)
        estimated = robot.keypoints(safe)[..., :count, :]
        true = robot.keypoints(truth(pairs))[:, None, :count]
        distances = np.linalg.norm(estimated - true, axis=-1).mean(axis=-1)
        add: Array = np.where(self.lost, np.inf, distances)
        return add


def truth(pairs: PairSet) -> Array:
    """(N, J) [rad]"""
    return np.array([pair.target.joint_positions for pair in pairs.pairs])


def camera_known(pairs: PairSet) -> NDArray[np.bool_]:
    """(N,) the target's camera pose is known."""
    return np.array([pair.target.T_cam_base is not None for pair in pairs.pairs])


def clusters(pairs: PairSet) -> list[str]:
    """(N,) the first reference of each target: what errors are clustered by."""
    return [pair.references[0].name for pair in pairs.pairs]


def asked_variant(
    pairs: PairSet,
    answers: Sequence[Sequence[ModelAnswer]],
    prices: Prices,
    *,
    model: str,
    effort: str | None,
    references: int,
    how: str,
    refine: int = 0,
) -> Variant:
    """A row from the samples of each target."""
    robot, count = pairs.robot, len(answers[0])
    poses = np.full((len(answers), 1, len(robot.joint_names)), np.nan)
    for i, samples in enumerate(answers):
        merged = merge([a.parsed.joint_positions for a in samples], how)
        if merged is not None:
            poses[i, 0] = robot.clip(merged)
    everything = [a for samples in answers for a in samples]
    cost = None
    if prices.known(model):
        cost = np.array(
            [sum(prices.of(model, a.replies) or 0.0 for a in samples) for samples in answers]
        )
    parts = [model]
    parts += [f"effort {effort}"] if effort else []
    parts += [f"{references} ref", f"{count} × {how}" if count > 1 else "1 sample"]
    parts += [f"refine {refine}"] if refine else []
    return Variant(
        name=", ".join(parts),
        baseline=False,
        poses=poses,
        model=model,
        effort=effort,
        references=references,
        samples=count,
        merge=how if count > 1 else "",
        refine=refine,
        asked=len(everything),
        failures={kind: sum(a.parsed.failure == kind for a in everything) for kind in FAILURES},
        violations=sum(bool(a.parsed.violated) for a in everything),
        repairs=sum(a.repaired for a in everything),
        cost=cost,
        seconds=np.array([max((a.seconds for a in samples), default=0.0) for samples in answers]),
    )


def baselines(
    pairs: PairSet,
    seed: int = 0,
    estimator: Callable[[Pair], tuple[Array | None, float]] | None = None,
    missing: str = "",
) -> list[Variant]:
    """What any error has to be read by.

    Args:
        estimator: armsight's own: a pair to joint positions (or None) and seconds.
        missing: why there is no estimator, if there is none.
    """
    true, robot = truth(pairs), pairs.robot
    copied = np.array([pair.references[0].joint_positions for pair in pairs.pairs])
    # Of the others: a target's own angles would make the mean know a little of the answer.
    others = (true.sum(axis=0) - true) / max(len(true) - 1, 1)
    mean = others if len(true) > 1 else copied
    rng = np.random.default_rng(np.random.SeedSequence((seed, 0xBA5E)))
    low, high = robot.joint_limits.T
    uniform = rng.uniform(low, high, (len(true), UNIFORM_DRAWS, len(low)))
    rows = [
        Variant("baseline: the reference's angles", True, copied[:, None]),
        Variant("baseline: the set's mean pose", True, mean[:, None]),
        Variant("baseline: uniform within limits", True, uniform),
    ]
    name = "armsight's estimator"
    if estimator is None:
        return [*rows, Variant(name, True, np.full_like(copied, np.nan)[:, None], note=missing)]
    poses, seconds = np.full_like(true, np.nan), np.zeros(len(true))
    for i, pair in enumerate(pairs.pairs):
        q, seconds[i] = estimator(pair)
        if q is not None:
            poses[i] = q
    lost = int(np.isnan(poses).any(axis=1).sum())
    failures = dict.fromkeys(FAILURES, 0) | {"no robot found": lost}
    return [
        *rows,
        Variant(name, True, poses[:, None], asked=len(true), failures=failures, seconds=seconds),
    ]


def own_estimator(weights: str) -> Any:
    """armsight's estimator as `baselines` wants it, and as a judge of claims; or why not.

    Returns:
        (function or None, judge or None, reason)
    """
    import time

    from armsight.estimate.estimator import Estimator
    from armsight.verify.claims import ClaimVerifier

    try:
        estimator = Estimator.from_pretrained(weights)
    except ArmsightError as error:
        return None, None, str(error)

    def estimate(pair: Pair) -> tuple[Array | None, float]:
        image = load_image(pair.target.path)
        start = time.perf_counter()
        found = estimator(image, pair.target.K)
        return found.joint_positions, time.perf_counter() - start

    return estimate, ClaimVerifier(estimator), ""
