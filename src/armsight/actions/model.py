"""`ActionModel`: keyframes of a video in, the actions between them out.

1. Keyframes get the tones that the network knows (histogram_matching.py), and become overlapping
   pairs, all in one batch (pairs.py).
2. The network samples H chunks of `stride + 1` actions for every pair (session.py).
3. A pair's hypotheses become one chunk (hypotheses.py).
4. Chunks are averaged where they overlap; gripper commands are voted (ensemble.py).
5. Route "track" then replaces the actions by those that make the end effector follow the path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from armsight.actions.chunks import Chunks
from armsight.actions.ensemble import Weights, equal
from armsight.actions.files import padded
from armsight.actions.histogram_matching import adapt
from armsight.actions.keyframes import Frames, Keyframes, Progress, load_keyframes
from armsight.actions.pairs import Pairs, check_stride, keyframe_steps, make_pairs
from armsight.actions.sequence import GRIPPER, ActionSequence
from armsight.actions.session import ActionOutput, ActionSession
from armsight.actions.timing import keyframe_timing
from armsight.card import ACTIONS
from armsight.errors import ConfigError, KeyframesError, MissingExtraError
from armsight.estimate.pretrained import weights_folder

Array = NDArray[np.floating]
Tracker: TypeAlias = Callable[[Array, Array], Any]
"""From a path (N, 4, 4) and gripper commands (N,) to something with `actions` (N, 7)"""

ROUTES = ("direct", "track")
DEFAULT_STRIDE = 3
DEFAULT_HYPOTHESES = 8
PAIR_REACH_STEPS = 3
"""[control steps] that a pair spans at least, where keyframes are closer; chosen on validation
states"""
PRESENCE_THRESHOLD = 0.5


class ActionModel:
    """An inverse dynamics model: what the robot did between the frames of a video."""

    def __init__(self, session: ActionSession) -> None:
        """Run the network of `session`."""
        card = session.card
        self.session, self.spec = session, session.spec
        self.task, self.robot, self.max_stride = card.task, card.robot, card.max_stride
        self.default_stride = card.default_stride or DEFAULT_STRIDE
        self.default_span = card.default_span or 1
        self.default_route = card.default_route or "direct"
        self.num_hypotheses = card.num_hypotheses or DEFAULT_HYPOTHESES
        threshold = card.presence_threshold
        self.presence_threshold = PRESENCE_THRESHOLD if threshold is None else threshold

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
        cameras: Mapping[str, Frames | Keyframes] | None = None,
        tracker: Tracker | None = None,
        progress: Progress | None = None,
    ) -> ActionSequence:
        """Actions from the first frame to the last, both included.

        Args:
            frames: two or more keyframes: an array (N, H, W, 3), a list of pictures, a folder of
                them, or a video.
            stride: control steps from each frame to the next; by default the card's. Where time
                stamps of a video, or numbers in pictures' names, say that frames are not evenly
                spaced, it is their usual distance, and a message says what was made of the others.
            steps: instead of `stride`, the control step of each frame, rising, perhaps uneven.
            span: how many keyframes apart a pair may be, see `pairs.py`; by default neighbours, as
                in the paper, and where averaging is not ruled out and they are closer than
                `PAIR_REACH_STEPS` control steps, all pairs up to that far.
            route: "direct" takes the model's actions; "track" takes those with which a simulated
                arm follows the model's end-effector path; by default the card's, or "direct" with
                a message where the simulator is not installed.
            num_hypotheses: samples for each pair; by default the card's.
            seed: of the sampler's noise.
            merge: how hypotheses become one, see `hypotheses.py`.
            weights: of the overlap averaging; None for no averaging.
            match_tones: whether frames get the tones of the pictures that the weights know:
                "auto" (where they are far off), "always" or "never"; see `histogram_matching.py`.
            cameras: for weights of several cameras, what the others saw, by the camera's name
                (`observation.images.wrist`, or `wrist`); `frames` are of the first, unless it is
                named here. A camera that is left out is done without, with a message.
            tracker: for the route "track"; by default `track_path` of `armsight.path_tracking`.
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
        reach = PAIR_REACH_STEPS if span is None and weights is not None else 0
        span = self.default_span if span is None else span
        timing = None
        if steps is None and keyframes.moments is not None:
            usual = stride or self.default_stride
            timing = keyframe_timing(keyframes.moments, usual, self.max_stride)
        kept, timing_notes = np.ones(len(keyframes), bool), tuple[str, ...]()
        if timing is not None:
            stride, steps = None, timing.steps.tolist()
            kept, timing_notes = timing.kept, timing.notes
            keyframes = replace(keyframes, images=keyframes.images[kept])
        pairs = self._pairs(keyframes, stride, steps, span, reach)
        known = self.session.first_pictures
        images, tones = adapt(
            keyframes.images, keyframes.inside, known.tones if known else None, match_tones
        )
        views, seen, blind = self._views(images, cameras or {}, kept, progress)
        reading = self.session.read(
            views, pairs.indices, pairs.strides, count, seed, progress, seen
        )
        messages = (*timing_notes, *self._check_presence(reading.presence), *blind)
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

    def _views(
        self,
        images: NDArray[np.uint8],
        others: Mapping[str, Frames | Keyframes],
        kept: NDArray[np.bool_],
        progress: Progress | None,
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None, tuple[str, ...]]:
        """Pictures of all cameras (N, cameras, S, S, 3), which are there, and notes."""
        names = self.spec.cameras
        places = [find_camera(name, names) for name in others]
        if self.session.num_cameras == 1:
            return images, None, ()
        views = np.zeros((len(images), len(names), *images.shape[1:]), np.uint8)
        seen = np.zeros(views.shape[:2], bool)
        views[:, 0], seen[:, 0] = images, True
        for place, frames in zip(places, others.values(), strict=True):
            if place == 0:
                raise ConfigError(f"{names[0]} is the camera of the frames themselves")
            other = load_keyframes(frames, self.session.input_size, progress=progress)
            if len(other) != len(kept):
                raise KeyframesError(
                    f"{names[place]} has {len(other)} frames, and {names[0]} has {len(kept)}; "
                    "give as many of each camera, taken at the same moments"
                )
            views[:, place], seen[:, place] = other.images[kept], True
        without = [name for name, there in zip(names, seen[0], strict=True) if not there]
        notes = (f"without the camera {', '.join(without)}, which the weights also know",)
        return views, seen, notes if without else ()

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
                f"weights know {self.task} (its camera {self.spec.cameras[0]}, upright). Frames "
                "straight out of robosuite are upside down: give frames[:, ::-1]"
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
        reading: ActionOutput,
        merge: str,
        weights: Weights | None,
        messages: tuple[str, ...],
    ) -> ActionSequence:
        """Hypotheses to chunks, chunks to one sequence."""
        chunks = Chunks.of(self.spec, pairs, reading, merge)
        # Neighbours are pairs of their own, whatever the span.
        neighbours = pairs.indices[:, 1] - pairs.indices[:, 0] == 1
        keys = np.append(pairs.starts[neighbours], pairs.horizon - 1)
        strides = set(np.diff(keys).tolist())
        return ActionSequence(
            actions=chunks.actions(weights),
            std=chunks.std("actions", weights),
            keyframe_steps=keys,
            states=chunks.states(weights),
            states_std={
                name: chunks.std(name, weights) for name in chunks.stds if name != "actions"
            },
            presence=reading.presence,
            pairs=pairs.indices,
            pair_actions=padded(chunks.means["actions"]),
            stride=strides.pop() if len(strides) == 1 else None,
            task=self.task,
            robot=self.robot,
            source=keyframes.source,
            spec=self.spec,
            card=self.session.card.entries,
            messages=messages,
        )


def find_camera(name: str, known: Sequence[str]) -> int:
    """Which of the `known` cameras a full or short name means.

    Raises:
        ConfigError: none, or more than one.
    """
    found = [i for i, one in enumerate(known) if name in (one, one.rpartition(".")[2])]
    if len(found) != 1:
        raise ConfigError(f"no camera {name!r}; these weights know {', '.join(known) or 'none'}")
    return found[0]


def follow(sequence: ActionSequence, tracker: Tracker | None = None) -> ActionSequence:
    """The same sequence with actions that make a simulated arm follow its end-effector path.

    `std` and `pair_actions` stay those of the model's own actions.

    Raises:
        MissingExtraError: the simulator is not installed.
    """
    if tracker is None:
        from armsight.path_tracking.track_path import track_path  # needs the simulator

        tracker = track_path
    tracked = tracker(sequence.T_base_ee, sequence.actions[:, GRIPPER])
    return replace(sequence, actions=np.asarray(tracked.actions, float), route="track")
