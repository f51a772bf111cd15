"""The offline score of weights on held-out episodes of their data set, beside simple guesses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.action_spec import ActionSpec
from armsight.actions.model import ActionModel
from armsight.data.lerobot import LeRobotReader
from armsight.evaluate.actions.baselines import FittedLine, Rows, interpolation
from armsight.evaluate.actions.score import score

Array = NDArray[np.float64]
LEAST_KEYFRAMES = 2


def read_rows(reader: LeRobotReader, spec: ActionSpec, episode: int) -> Rows:
    """Actions and states of an episode."""
    rows = reader.rows(episode)
    actions = np.asarray(rows[spec.action_key], float).reshape(len(rows[spec.action_key]), -1)
    states = np.zeros((len(actions), 0))
    if spec.state_key:
        states = np.asarray(rows[spec.state_key], float).reshape(len(actions), -1)
    return Rows(actions, states)


def predict(
    model: ActionModel, reader: LeRobotReader, episode: int, stride: int, cameras: Sequence[str]
) -> Array:
    """What the weights say of an episode: every `stride`-th frame is a keyframe."""
    rows = range(0, int(reader.episodes[episode]["length"]), stride)
    seen = {key: reader.frames(episode, key, list(rows)) for key in cameras}
    first, *others = cameras
    sequence = model.predict_action_chunk(
        seen[first], stride, route="direct", match_tones="never",
        cameras={key: seen[key] for key in others},
    )  # fmt: skip
    return np.asarray(sequence.actions, float)


def score_held_out(
    model: ActionModel,
    reader: LeRobotReader,
    held_out: Sequence[int],
    train: Sequence[int],
    stride: int | None = None,
    others: Mapping[str, ActionModel] | None = None,
) -> dict[str, Any]:
    """Score weights and what they are compared with.

    Args:
        held_out: episodes to score on.
        train: episodes that baselines are fitted on.
        stride: control steps between keyframes; by default the weights' own.
        others: further weights of the same actions, by name, such as `regression`.

    Returns:
        `stride`, and `ways`: by name what `armsight.evaluate.actions.score.score` says.
    """
    spec, stride = model.spec, stride or model.default_stride
    for one in (model, *(others or {}).values()):
        one.presence_threshold = 0.0  # the score says how far off, not whether to answer
    enough = (LEAST_KEYFRAMES - 1) * stride + 1
    chosen = [e for e in held_out if int(reader.episodes[e]["length"]) >= enough]
    rows = [read_rows(reader, spec, e).until_keyframe(stride) for e in chosen]
    truth = [one.actions for one in rows]
    says: dict[str, Callable[[int], Array]] = {
        "weights": lambda e: predict(model, reader, e, stride, spec.cameras)
    }
    if len(spec.cameras) > 1:
        says["weights, first camera alone"] = lambda e: predict(
            model, reader, e, stride, spec.cameras[:1]
        )
    for name, other in (others or {}).items():
        says[name] = lambda e, other=other: predict(other, reader, e, stride, spec.cameras)  # type: ignore[misc]
    ways = {name: score(truth, [say(e) for e in chosen], spec) for name, say in says.items()}
    for name, guesses in _guesses(reader, spec, rows, train, stride).items():
        ways[name] = score(truth, guesses, spec)
    return {"stride": stride, "held_out": list(map(int, chosen)), "ways": ways}


def _guesses(
    reader: LeRobotReader, spec: ActionSpec, rows: Sequence[Rows], train: Sequence[int], stride: int
) -> dict[str, list[Array]]:
    """Baselines that know the true states."""
    mean = np.array([one.offset for one in spec.actions])
    result = {"mean action": [np.tile(mean, (len(one.actions), 1)) for one in rows]}
    if not spec.states:
        return result
    known = [read_rows(reader, spec, e).until_keyframe(stride) for e in train]
    known = [one for one in known if len(one.actions) > stride]
    result["interpolation"] = [interpolation(one, spec, stride) for one in rows]
    for name, ahead in (("fitted interpolation", True), ("repeat", False)):
        fitted = FittedLine(known, spec, stride, ahead=ahead)
        result[name] = [fitted(one) for one in rows]
    return result


def describe(result: Mapping[str, Any], spec: ActionSpec) -> str:
    """A table for a person."""
    ways = result["ways"]
    own = ways["weights"]
    lines = [
        f"held-out episodes: {own['episodes']} ({own['steps']} steps), a keyframe each "
        f"{result['stride']} steps",
        "",
        f"{'mean absolute error':28}" + "".join(f"{name[:14]:>16}" for name in ways),
    ]
    for one in spec.actions:
        cells = [ways[name]["dimensions"][one.name]["error"] for name in ways]
        lines.append(f"{_label(one.name, one.kind):28}" + "".join(map(_cell, cells)))
    shares = [100 * way["mean_share"][0] if "mean_share" in way else None for way in ways.values()]
    lines.append(f"{'mean share of spread [%]':28}" + "".join(map(_cell, shares)))
    for one in spec.actions:
        if not one.gripper:
            continue
        gripper = own["grippers"][one.name]
        lines.append(
            f"{one.name}: {gripper['changes']} changes, {gripper['missed']} missed, "
            f"{gripper['made_up']} made up, "
            f"median {gripper['median_steps_off']} steps off"
        )
    drifts = [
        f"{one.name} {own['dimensions'][one.name]['drift']:.3g}"
        for one in spec.actions
        if own["dimensions"][one.name]["drift"] is not None
    ]
    if drifts:
        lines.append(f"drift at an episode's end (median): {', '.join(drifts)}")
    return "\n".join(lines)


def _label(name: str, kind: str) -> str:
    return f"{name} ({kind})"[:27]


def _cell(value: float | None) -> str:
    return f"{'-' if value is None else format(value, '.4g'):>16}"
