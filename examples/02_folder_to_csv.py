"""All pictures of a folder, in batches, into one CSV file.

python examples/02_folder_to_csv.py FOLDER OUT.csv [FIELD_OF_VIEW_DEG]
"""

import csv
import sys
from pathlib import Path

from armsight import Estimator

folder, target = Path(sys.argv[1]), Path(sys.argv[2])
fov = float(sys.argv[3]) if len(sys.argv) > 3 else None
images = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".png", ".webp"))

estimator = Estimator.from_pretrained("panda")
with target.open("w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["image", "robot_found", "confidence", *estimator.robot.joint_names])
    for start in range(0, len(images), 8):
        for state in estimator(images[start : start + 8], fov_deg=fov):
            angles = state.joint_positions if state.robot_found else []
            writer.writerow([state.image, state.robot_found, f"{state.confidence:.3f}", *angles])
print(f"{len(images)} images -> {target}")
