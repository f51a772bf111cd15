"""The questions of a study, each with a key that says everything its answer depends on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.verify.wrong_claims import Claim, shifted_claim
from armsight.vlm import prompt
from armsight.vlm.ask import Question, Reference
from armsight.vlm.picture import SentPicture, prepare
from armsight.vlm.providers.engine import ModelSettings
from armsight.vlm.study.pairs import Pair, PairSet

Array = NDArray[np.floating]

ANGLES, REFINE, VERIFY = "angles", "refine", "verify"
SHIFTS_DEG = (5, 10, 15, 30)


@dataclass(frozen=True)
class Item:
    """One question to one model, asked once."""

    kind: str
    model: str
    effort: str | None
    references: int
    pair: Pair
    sample: int
    settings: ModelSettings
    image_size: int
    claim: Claim | None = None
    rounds: int = 0
    """of refinement"""

    def identity(self) -> dict[str, Any]:
        """What the answer depends on; also told in the answers file."""
        shots = (*self.pair.references[: self.references], self.pair.target)
        return {
            "kind": self.kind,
            "model": self.model,
            "effort": self.effort,
            "references": self.references,
            "pair": self.pair.name,
            "sample": self.sample,
            "claim": None if self.claim is None else self.claim.label,
            "rounds": self.rounds,
            "prompt_version": prompt.prompt_version(),
            "settings": self.settings.identity(),
            "image_size": self.image_size,
            "shown": [shown_digest(shot.path, shot.joint_positions.tobytes()) for shot in shots],
        }

    @property
    def key(self) -> str:
        """Unique for the identity."""
        text = json.dumps(self.identity(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    def question(self, pairs: PairSet) -> Question:
        """With pictures loaded; they are not kept, so that memory stays flat."""
        chosen = tuple(
            Reference(picture(shot.path, self.image_size), shot.joint_positions)
            for shot in self.pair.references[: self.references]
        )
        target = picture(self.pair.target.path, self.image_size)
        claimed = None if self.claim is None else self.claim.joint_positions
        return Question(pairs.robot, chosen, target, claimed)


@lru_cache(maxsize=64)
def picture(path: Path, longer_side: int) -> SentPicture:
    """A picture as it is sent; the last few are kept, since samples repeat them.

    The file's name is not sent: it could tell.
    """
    return prepare(path, longer_side)


@lru_cache(maxsize=4096)
def shown_digest(path: Path, angles: bytes) -> str:
    """Changes with a picture's file or its angles."""
    digest = hashlib.sha256(angles)
    digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def claims_of(pairs: PairSet, seed: int, every: bool) -> dict[str, list[Claim]]:
    """Claims about each target: the true angles, and one joint shifted by each of SHIFTS_DEG.

    Args:
        every: shift every joint in turn; else one joint for each shift, so that over the targets
            all joints have their turn (a model's verdicts cost money).
    """
    rng = np.random.default_rng(np.random.SeedSequence((seed, 0xC1A1)))
    count = len(pairs.robot.joint_names)
    claims: dict[str, list[Claim]] = {}
    for i, pair in enumerate(pairs.pairs):
        true = pair.target.joint_positions
        chosen = [Claim(true)]
        for k, degrees in enumerate(SHIFTS_DEG):
            for joint in range(count) if every else [(i + 2 * k) % count]:
                chosen.append(shifted_claim(pairs.robot, true, joint, degrees, rng))
        claims[pair.name] = chosen
    return claims
