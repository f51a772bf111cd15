"""Figures of the study, JSON-ready: the table, paired differences, verifiers, scaling."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.evaluate.poses import metrics
from armsight.reports.clusters import cluster_interval, weighted_median
from armsight.reports.figures import Figures
from armsight.vlm.study.items import SHIFTS_DEG
from armsight.vlm.study.pairs import PairSet
from armsight.vlm.study.roc import auc_figures, curve
from armsight.vlm.study.variants import Variant, camera_known, clusters

Array = NDArray[np.floating]

WITHIN_DEG = (5, 10, 20)
FAILURES_COUNT_AS = "the ready pose's error; within N deg: wrong; ADD: a miss"


def table_row(variant: Variant, pairs: PairSet) -> Figures:
    """One row's figures, over all targets and for each group of them."""
    groups = [pair.target.group for pair in pairs.pairs]
    everyone = np.ones(len(groups), dtype=bool)
    row: Figures = {
        "name": variant.name,
        "baseline": variant.baseline,
        "model": variant.model,
        "effort": variant.effort,
        "references": variant.references,
        "samples": variant.samples,
        "merge": variant.merge,
        "refine": variant.refine,
        "note": variant.note,
        "asked": variant.asked,
        "failures": variant.failures,
        "violations": variant.violations,
        "repairs": variant.repairs,
        "cost_usd": None if variant.cost is None else float(variant.cost.sum()),
        "cost_usd_per_target": None if variant.cost is None else float(variant.cost.mean()),
        "seconds_per_target": None
        if variant.seconds is None
        else float(np.median(variant.seconds)),
    }
    if variant.note:
        return row
    row |= _figures(variant, pairs, everyone)
    row["groups"] = {
        group: _figures(variant, pairs, np.array([g == group for g in groups]))
        for group in dict.fromkeys(groups)
    }
    return row


def _figures(variant: Variant, pairs: PairSet, chosen: NDArray[np.bool_]) -> Figures:
    errors, lost = variant.errors_deg(pairs)[chosen], variant.lost[chosen]
    owner = [c for c, keep in zip(clusters(pairs), chosen, strict=True) if keep]
    answered = np.asarray(~lost.any(axis=1))
    within = {
        f"within_{limit}": cluster_interval((errors <= limit) & ~lost[..., None], owner)
        for limit in WITHIN_DEG
    }
    known = camera_known(pairs)[chosen]
    add = variant.add_m(pairs)[chosen][known]
    in_cameras = [c for c, keep in zip(owner, known, strict=True) if keep]
    return {
        "targets": int(chosen.sum()),
        "unanswered": int(lost.any(axis=1).sum()),
        "mean_deg": cluster_interval(errors, owner),
        "mean_rad": cluster_interval(np.radians(errors), owner),
        "median_deg": cluster_interval(
            errors.mean(axis=(1, 2)), owner, lambda v, w: weighted_median(v, w)
        ),
        "mean_answered_deg": cluster_interval(
            errors[answered], [c for c, keep in zip(owner, answered, strict=True) if keep]
        )
        if answered.any()
        else None,
        "per_joint_deg": {
            name: cluster_interval(errors[..., j], owner)
            for j, name in enumerate(pairs.robot.joint_names)
        },
        **within,
        "add_auc": cluster_interval(100 * metrics.auc_scores(add), in_cameras)
        if known.any()
        else None,
        "add_median_mm": cluster_interval(
            1000 * np.median(add, axis=1), in_cameras, weighted_median
        )
        if known.any()
        else None,
    }


def paired_differences(variants: Sequence[Variant], pairs: PairSet) -> list[Figures]:
    """Mean joint error of one row minus another's on the same targets, with its interval.

    Models are compared with each other where effort, references, samples, merge and refinement
    are the same, and with every baseline; a refined answer with the one that it began from.
    """
    owner = clusters(pairs)
    usable = [v for v in variants if not v.note]
    means = {v.name: v.errors_deg(pairs).mean(axis=(1, 2)) for v in usable}
    rows = []
    for i, a in enumerate(usable):
        for b in usable[:i]:
            alike = _knobs(a) == _knobs(b) and a.model != b.model
            against = b.baseline and not a.baseline
            refined = (
                a.refine > 0 and a.model == b.model and _knobs(replace(a, refine=0)) == _knobs(b)
            )
            if not ((alike or refined) and not a.baseline and not b.baseline) and not against:
                continue
            figures = cluster_interval(means[a.name] - means[b.name], owner)
            if figures is not None:
                low, high = figures["low"], figures["high"]
                known = low is not None and (low > 0 or high < 0)
                rows.append({"a": a.name, "b": b.name, "difference_deg": figures,
                             "excludes_zero": known})  # fmt: skip
    return rows


def _knobs(v: Variant) -> tuple[Any, ...]:
    return v.effort, v.references, v.samples, v.merge, v.refine


def scaling(rows: Sequence[Figures]) -> dict[str, list[dict[str, Any]]]:
    """Mean error against each knob, the others held: lines of (x, mean, low, high)."""
    asked = [row for row in rows if not row["baseline"] and "mean_deg" in row]
    plain = [row for row in asked if not row["refine"]]
    most = max((row["samples"] for row in plain), default=0)
    fewest = min((row["references"] for row in plain), default=0)
    lines: dict[str, list[dict[str, Any]]] = {}

    def add(name: str, label: str, points: list[tuple[Any, Figures]]) -> None:
        if len({x for x, _ in points}) > 1:
            line = [
                {"x": x, "mean_deg": row["mean_deg"]["value"], "low": row["mean_deg"]["low"],
                 "high": row["mean_deg"]["high"]}
                for x, row in points
            ]  # fmt: skip
            lines.setdefault(name, []).append({"label": label, "points": line})

    def groups(*fixed: str) -> dict[tuple[Any, ...], list[Figures]]:
        found: dict[tuple[Any, ...], list[Figures]] = {}
        for row in plain:
            found.setdefault(tuple(row[name] for name in fixed), []).append(row)
        return found

    for (model, effort, refs), some in groups("model", "effort", "references").items():
        for how in ("median", "medoid"):
            points = [(r["samples"], r) for r in some if r["merge"] in (how, "")]
            add("samples", _label(model, effort, refs, how), sorted(points, key=lambda p: p[0]))
    for (model, refs, samples, how), some in groups(
        "model", "references", "samples", "merge"
    ).items():
        if samples == most and how != "medoid":
            add("effort", _label(model, None, refs, f"{samples} samples"),
                [(r["effort"] or "default", r) for r in some])  # fmt: skip
    for (model, effort, samples, how), some in groups(
        "model", "effort", "samples", "merge"
    ).items():
        if samples == most and how != "medoid":
            points = sorted(((r["references"], r) for r in some), key=lambda p: p[0])
            add("references", _label(model, effort, None, f"{samples} samples"), points)
    families: dict[str, list[tuple[float, Figures]]] = {}
    for row in plain:
        size = model_size(row["model"])
        same = row["samples"] == most and row["references"] == fewest and row["merge"] != "medoid"
        if size and same:
            name = f"{size[0]}{', effort ' + row['effort'] if row['effort'] else ''}"
            families.setdefault(name, []).append((size[1], row))
    for family, sized in families.items():
        add("model size", family, sorted(sized, key=lambda p: p[0]))
    return lines


def model_size(model: str) -> tuple[str, float] | None:
    """Family and billions of parameters from names like 'qwen2.5vl:7b' or 'Qwen2.5-VL-72B'."""
    found = re.search(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?)[bB](?![A-Za-z0-9])", model)
    if found is None:
        return None
    return model[: found.start()] + "*" + model[found.end() :], float(found[1])


def verifier_figures(
    judge: str, verdicts: Sequence[tuple[str, int | None, float, float | None]], pairs: PairSet
) -> Figures:
    """AUC of a verifier for each size of shift, over all joints and for each.

    Args:
        verdicts: target's name, the shifted joint (None: the claim was true), its shift [deg,
            signed], and the score (None: no verdict, which counts against the judge).
    """

    def value(score: float | None) -> float:
        return float("nan") if score is None else score

    right = [(name, value(score)) for name, joint, _, score in verdicts if joint is None]
    shifts: Figures = {}
    for degrees in SHIFTS_DEG:
        wrong = [
            (name, joint, value(score)) for name, joint, shift, score in verdicts
            if joint is not None and abs(abs(shift) - degrees) < 1e-3
        ]  # fmt: skip

        def figures(some: list[tuple[str, int, float]]) -> Figures | None:
            return auc_figures(
                [s for _, s in right], [s for *_, s in some],
                [n for n, _ in right], [n for n, *_ in some],
            )  # fmt: skip

        alarms, found = curve([s for _, s in right], [s for *_, s in wrong])
        shifts[str(degrees)] = {
            "claims": len(wrong),
            "auc": figures(wrong),
            "per_joint": {
                name: figures([w for w in wrong if w[1] == j])
                for j, name in enumerate(pairs.robot.joint_names)
            },
            "roc": {"false_alarms": alarms.tolist(), "found": found.tolist()} if wrong else None,
        }
    return {
        "judge": judge,
        "true_claims": len(right),
        "no_verdict": sum(score is None for *_, score in verdicts),
        "shift_deg": shifts,
    }


def _label(model: str, effort: str | None, references: int | None, more: str) -> str:
    parts = [model.rpartition("/")[2]]
    parts += [f"effort {effort}"] if effort else []
    parts += [f"{references} ref"] if references is not None else []
    return ", ".join([*parts, more])
