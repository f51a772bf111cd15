"""What inspect_ai finds through this package's entry point."""

from __future__ import annotations

from armsight.vlm.providers.hf_vision import hf_vision
from armsight.vlm.study.task import joint_angles

__all__ = ["hf_vision", "joint_angles"]
