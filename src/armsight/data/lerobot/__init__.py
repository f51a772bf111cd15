"""LeRobotDataset v3: written, read, merged, and copied with further columns."""

from armsight.data.lerobot.pack import merge
from armsight.data.lerobot.reader import LeRobotReader
from armsight.data.lerobot.writer import LeRobotWriter

__all__ = ["LeRobotReader", "LeRobotWriter", "merge"]
