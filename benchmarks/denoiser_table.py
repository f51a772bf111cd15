"""The table of denoisers.py: figures with intervals from per-picture errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from armsight.reports.intervals import bootstrap_interval, mean_of, median_of


def table_rows(
    results: dict[str, dict[str, Any]], baselines: dict[str, str]
) -> list[dict[str, Any]]:
    """One row per variant and number of sampling steps, with intervals over pictures.

    Args:
        results: by the variant's name: errors (N, J - 1) [deg] of each reading by sampling steps,
            and seconds of training.
        baselines: the variant that each one is compared with.
    """
    rows = []
    for name, result in results.items():
        for steps, readings in result["errors"].items():
            errors = {key: np.asarray(value) for key, value in readings.items()}
            answer = errors["median"]
            row = {
                "denoiser": name,
                "sampling_steps": int(steps),
                "images": len(answer),
                "mean_deg": float(answer.mean()),
                "mean_interval": bootstrap_interval(answer, mean_of),
                "median_deg": float(np.median(answer)),
                "median_interval": bootstrap_interval(answer, median_of),
                **{f"{key}_of_hypotheses_deg": float(e.mean()) for key, e in errors.items()},
                "train_seconds": result["train_seconds"],
                "kinematic_seconds": result["kinematic_seconds"],
            }
            other = results.get(baselines[name])
            if other is not None and name != baselines[name]:
                theirs = np.asarray(other["errors"]["1"]["median"])[: len(answer)]
                difference = answer.mean(1) - theirs.mean(1)
                row["minus_regression_deg"] = float(difference.mean())
                row["minus_regression_interval"] = bootstrap_interval(difference, mean_of)
            rows.append(row)
    return rows


def print_table(rows: list[dict[str, Any]]) -> None:
    print("denoiser | sampling steps | images | mean [deg] | median [deg] | minus regression | "
          "mean of hyp. | one hyp. | best hyp. | training [s]")  # fmt: skip
    for r in rows:
        difference = "-"
        if "minus_regression_deg" in r:
            low, high = r["minus_regression_interval"]
            difference = f"{r['minus_regression_deg']:+.1f} [{low:+.1f}, {high:+.1f}]"
        mean, median = (
            f"{r[f'{k}_deg']:.1f} [{r[f'{k}_interval'][0]:.1f}, {r[f'{k}_interval'][1]:.1f}]"
            for k in ("mean", "median")
        )
        seconds = f"{r['kinematic_seconds']:.0f} + {r['train_seconds']:.0f}"
        print(f"{r['denoiser']} | {r['sampling_steps']} | {r['images']} | {mean} | {median} | "
              f"{difference} | {r['mean_of_hypotheses_deg']:.1f} | "
              f"{r['single_of_hypotheses_deg']:.1f} | {r['best_of_hypotheses_deg']:.1f} | "
              f"{seconds}")  # fmt: skip
