"""`ActionModel`: keyframes of a video in, the actions between them out.

1. Keyframes get the tones that the network knows (tones.py), and become overlapping pairs, all in
   one batch (pairs.py).
2. The network samples H chunks of `stride + 1` actions for every pair (session.py).
3. A pair's hypotheses become one chunk (hypotheses.py).
4. Chunks are averaged where they overlap; gripper commands are voted (ensemble.py).
5. Route "track" then replaces the actions by those that make the end effector follow the path.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from armsight.actions.ensemble import (
    Weights,
    ensemble_std,
    equal,
    first_chunk,
    mean_rotation,
    steady_votes,
    temporal_ensemble,
)
from armsight.actions.files import padded
from armsight.actions.hypotheses import average, chosen_hypotheses
from armsight.actions.keyframes import Frames, Keyframes, Progress, load_keyframes
from armsight.actions.pairs import Pairs, check_stride, keyframe_steps, make_pairs
from armsight.actions.sequence import DIMENSIONS, GRIPPER, ActionSequence, Meaning
from armsight.actions.session import ActionSession, Reading
from armsight.actions.tones import adapt
from armsight.errors import ConfigError, KeyframesError, MissingExtraError, WeightsError
from armsight.estimate.pretrained import ACTIONS, weights_folder

Array = NDArray[np.floating]
Tracker: TypeAlias = Callable[[Array, Array], Any]
"""From a path (N, 4, 4) and gripper commands (N,) to something with `actions` (N, 7)"""

ROUTES = ("direct", "track")
DEFAULT_STRIDE = 3
DEFAULT_HYPOTHESES = 8
REACH = 3
"""Control steps that pairs are to bridge where keyframes are closer; chosen on validation states"""
PRESENCE_THRESHOLD = 0.5


class ActionModel:
    """An inverse dynamics model: what the robot did between the frames of a video."""

    def __init__(self, session: ActionSession) -> None:
        """Run the network of `session`.

        Raises:
            WeightsError: its card holds impossible values.
        """
        self.session = session
        self.card = session.card
        try:
            self._read_card(self.card)
        except (TypeError, ValueError) as error:
            raise WeightsError(
                f"{session.folder / 'model.json'} is broken: {error}; export the weights again"
            ) from error

    def _read_card(self, card: Mapping[str, Any]) -> None:
        self.task = str(card["task"])
        self.robot = str(card["robot"])
        self.max_stride = int(card["max_stride"])
        self.default_stride = int(card.get("default_stride", DEFAULT_STRIDE))
        self.default_span = int(card.get("default_span", 1))
        self.default_route = str(card.get("default_route", "direct"))
        self.num_hypotheses = int(card.get("num_hypotheses", DEFAULT_HYPOTHESES))
        self.presence_threshold = float(card.get("presence_threshold", PRESENCE_THRESHOLD))
        names, scale = tuple(card["action_names"]), tuple(map(float, card["action_scale"]))
        if not len(names) == len(scale) == DIMENSIONS:
            raise ValueError(f"{len(names)} action names and {len(scale)} scales, not {DIMENSIONS}")
        control_hz = float(card["control_hz"])
        if control_hz <= 0:
            raise ValueError(f"control_hz is {control_hz}")
        self.meaning = Meaning(action_names=names, action_scale=scale, control_hz=control_hz)

    @classmethod
    def from_pretrained(cls, name: str | Path, threads: int = 0) -> ActionModel:
        """Load weights by name ("libero_object"), folder or Hugging Face Hub id.

        Raises:
            UnknownTaskError: there are no such weights.
            WeightsError: they are broken, or read poses instead of actions.
        """
        return cls(ActionSession(weights_folder(name, ACTIONS), threads))

    def predict_action_chunk(
        self,
        frames: Frames | Keyframes,
        stride: int | None = None,
        *,
        steps: Sequence[int] | None = None,
        span: int | None = None,
        route: str | None = None,
        num_hypotheses: int | None = None,
        seed: int = 0,
        merge: str = "robust",
        weights: Weights | None = equal,
        match_tones: str = "auto",
        tracker: Tracker | None = None,
        progress: Progress | None = None,
    ) -> ActionSequence:
        """Actions from the first frame to the last, both included.

        Args:
            frames: two or more keyframes: an array (N, H, W, 3), a list of pictures, a folder of
                them, or a video.
            stride: control steps from each frame to the next; by default the card's.
            steps: instead of `stride`, the control step of each frame, rising, perhaps uneven.
            span: how many keyframes apart a pair may be, see `pairs.py`; by default neighbours, as
                in the paper, and where averaging is not ruled out and they are closer than
                `REACH` control steps, all pairs up to that far.
            route: "direct" takes the model's actions; "track" takes those with which a simulated
                arm follows the model's end-effector path; by default the card's, or "direct" with
                a message where the simulator is not installed.
            num_hypotheses: samples for each pair; by default the card's.
            seed: of the sampler's noise.
            merge: how hypotheses become one, see `hypotheses.py`.
            weights: of the overlap averaging; None for no averaging.
            match_tones: whether frames get the tones of the pictures that the weights know:
                "auto" (where they are far off), "always" or "never"; see `tones.py`.
            tracker: for the route "track"; by default `armsight.control.track.track_path`.
            progress: sees the frames as they are read, then the batches of pairs.

        Returns:
            A sequence of `(N - 1) * stride + 1` actions (horizon, 7).

        Raises:
            KeyframesError: one frame only, sizes differ, or no robot is in view.
            ConfigError: stride, steps, route, merge or match_tones make no sense.
            BadImageError, BadVideoError: a frame cannot be read.
            MissingExtraError: "track" was asked for, and the simulator is not installed.
        """
        wanted = route or self.default_route
        if wanted not in ROUTES:
            raise ConfigError(f"route is {wanted!r}; valid: {', '.join(ROUTES)}")
        count = self.num_hypotheses if num_hypotheses is None else num_hypotheses
        if count < 1:
            raise ConfigError(f"num_hypotheses is {count}; give 1 or more")
        if stride is not None:
            check_stride(stride, self.max_stride)  # before a long video is read
        keyframes = load_keyframes(frames, self.session.input_size, progress=progress)
        reach = REACH if span is None and weights is not None else 0
        span = self.default_span if span is None else span
        pairs = self._pairs(keyframes, stride, steps, span, reach)
        known = self.session.first_pictures
        images, tones = adapt(
            keyframes.images, keyframes.inside, known.tones if known else None, match_tones
        )
        reading = self.session.read(images, pairs.indices, pairs.strides, count, seed, progress)
        messages = self._check_presence(reading.presence)
        if note := tones.note(self.task):
            messages = (note, *messages)
        sequence = self._assemble(keyframes, pairs, reading, merge, weights, messages)
        sequence = replace(sequence, tones=tones.to_json())
        if wanted == "direct":
            return sequence
        try:
            return follow(sequence, tracker)
        except MissingExtraError as error:
            if route is not None:  # it was asked for, not just a default
                raise
            note = f"route direct, although the weights are better with route track: {error}"
            return replace(sequence, messages=(*sequence.messages, note))

    def _pairs(
        self,
        keyframes: Keyframes,
        stride: int | None,
        steps: Sequence[int] | None,
        span: int,
        reach: int,
    ) -> Pairs:
        if steps is None:
            steps = keyframe_steps(len(keyframes), stride or self.default_stride).tolist()
            return make_pairs(steps, self.max_stride, span, reach)
        if stride is not None:
            raise ConfigError("give only one of stride and steps")
        if len(steps) != len(keyframes):
            raise ConfigError(f"{len(steps)} steps for {len(keyframes)} frames; give one for each")
        return make_pairs(steps, self.max_stride, span, reach)

    def _check_presence(self, presence: Array) -> tuple[str, ...]:
        missing = np.flatnonzero(presence < self.presence_threshold)
        if 2 * len(missing) > len(presence):
            raise KeyframesError(
                f"no {self.robot} in view in {len(missing)} of {len(presence)} frames; these "
                f"weights know {self.task} (its agentview camera, upright). Frames straight out of "
                "robosuite are upside down: give frames[:, ::-1]"
            )
        if not len(missing):
            return ()
        few = ", ".join(map(str, missing[:10])) + (", ..." if len(missing) > 10 else "")
        return (
            f"no {self.robot} seen in {len(missing)} frames ({few}): actions there are guesses",
        )

    def _assemble(
        self,
        keyframes: Keyframes,
        pairs: Pairs,
        reading: Reading,
        merge: str,
        weights: Weights | None,
        messages: tuple[str, ...],
    ) -> ActionSequence:
        """Hypotheses to chunks, chunks to one sequence."""
        chunks: dict[str, list[Array]] = {
            name: [] for name in ("actions", "std", "position", "position_std", "turn", "opening")
        }
        for p, length in enumerate(pairs.lengths):
            said = np.clip(reading.actions[p, :, :length], -1, 1)
            position = reading.ee_position[p, :, :length]
            keep = chosen_hypotheses(said[..., :GRIPPER], merge)
            chunks["actions"].append(average(said, keep))
            chunks["std"].append(said.std(axis=0))
            chunks["position"].append(average(position, keep))
            chunks["position_std"].append(position.std(axis=0))
            chunks["turn"].append(average(reading.ee_rotation[p, :, :length], keep))
            chunks["opening"].append(average(reading.gripper_opening[p, :, :length], keep))

        starts, spread = pairs.starts, weights or equal

        def joined(name: str, voted: tuple[int, ...] = ()) -> Array:
            if weights is None:
                values = first_chunk(chunks[name], starts)
                return temporal_ensemble([values], [0], voted=voted, vote=steady_votes)
            return temporal_ensemble(chunks[name], starts, weights, voted=voted, vote=steady_votes)

        # Neighbours are pairs of their own, whatever the span.
        neighbours = pairs.indices[:, 1] - pairs.indices[:, 0] == 1
        keys = np.append(starts[neighbours], pairs.horizon - 1)
        strides = set(np.diff(keys).tolist())
        return ActionSequence(
            actions=joined("actions", (GRIPPER,)),
            std=ensemble_std(chunks["actions"], chunks["std"], starts, spread),
            keyframe_steps=keys,
            ee_position=joined("position"),
            ee_position_std=ensemble_std(
                chunks["position"], chunks["position_std"], starts, spread
            ),
            ee_rotation=mean_rotation(joined("turn")),
            gripper_opening=joined("opening"),
            presence=reading.presence,
            pairs=pairs.indices,
            pair_actions=padded(chunks["actions"]),
            stride=strides.pop() if len(strides) == 1 else None,
            task=self.task,
            robot=self.robot,
            source=keyframes.source,
            meaning=self.meaning,
            card=self.card,
            messages=messages,
        )


def follow(sequence: ActionSequence, tracker: Tracker | None = None) -> ActionSequence:
    """The same sequence with actions that make a simulated arm follow its end-effector path.

    `std` and `pair_actions` stay those of the model's own actions.

    Raises:
        MissingExtraError: the simulator is not installed.
    """
    if tracker is None:
        # The simulator is far above this module; it is only needed for this route.
        tracker = importlib.import_module("armsight.control.track").track_path
    tracked = tracker(sequence.T_base_ee, sequence.actions[:, GRIPPER])
    return replace(sequence, actions=np.asarray(tracked.actions, float), route="track")
