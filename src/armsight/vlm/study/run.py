"""The study from its plan to its report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from armsight.camera.image import load_image
from armsight.errors import ConfigError
from armsight.verify.wrong_claims import Claim
from armsight.vlm.ask import ModelAnswer
from armsight.vlm.prompt import prompt_version
from armsight.vlm.providers import engine
from armsight.vlm.providers.engine import EFFORTS, ModelSettings
from armsight.vlm.providers.ledger import Ledger
from armsight.vlm.providers.prices import Prices
from armsight.vlm.study.collect import ANSWERS, Study, StudyJournal
from armsight.vlm.study.items import ANGLES, REFINE, VERIFY, Item, claims_of
from armsight.vlm.study.pairs import PairSet, open_pairs
from armsight.vlm.study.report import write_report
from armsight.vlm.study.summary import (
    FAILURES_COUNT_AS,
    paired_differences,
    scaling,
    table_row,
    verifier_figures,
)
from armsight.vlm.study.variants import Variant, asked_variant, baselines, own_estimator

ESTIMATOR = "armsight's estimator"
Verdict = tuple[str, int | None, float, float | None]


@dataclass(frozen=True)
class StudyPlan:
    """What `armsight evaluate vlm` was asked for."""

    dataset: Path
    report: Path
    models: tuple[str, ...] = ()
    base_url: str | None = None
    samples: tuple[int, ...] = (1,)
    references: tuple[int, ...] = (1,)
    efforts: tuple[str | None, ...] = (None,)
    refine: int = 0
    verify: bool = False
    limit: int | None = None
    max_cost: float | None = None
    prices: Path | None = None
    concurrency: int = 10
    retries: int = 6
    timeout: int = 180
    temperature: float | None = None
    max_tokens: int = engine.MAX_TOKENS
    use_schema: bool = True
    image_size: int = 768
    robot: str = "panda"
    weights: str | None = None
    seed: int = 0


def run_study(
    plan: StudyPlan, progress: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, Any]:
    """Ask, score, write the report; returns results.json's content.

    Args:
        progress: called with the number of items newly done, and of all items.

    Raises:
        ArmsightError: the plan makes no sense, or the only model cannot be asked.
    """
    unknown = [e for e in plan.efforts if e is not None and e not in EFFORTS]
    if unknown:
        raise ConfigError(f"unknown effort {unknown[0]!r}; known: {', '.join(EFFORTS)}")
    pairs = open_pairs(plan.dataset, plan.robot, max(plan.references), plan.seed)
    if max(plan.references) > pairs.most_references:
        raise ConfigError(
            f"--references {max(plan.references)}, but {plan.dataset} has "
            f"{pairs.most_references} for each target; make it with --references"
        )
    if plan.limit is not None:
        pairs = replace(pairs, pairs=pairs.pairs[: plan.limit])
    prices = Prices.read(plan.prices)
    models = {engine.full_name(name, plan.base_url): name for name in plan.models}
    journal = StudyJournal(plan.report / ANSWERS, pairs)
    ledger = Ledger(prices, plan.max_cost, journal.spent)
    study = Study(
        pairs, plan.report, journal, ledger, plan.base_url, plan.concurrency,
    )  # fmt: skip
    try:
        ledger.check(models)
        items = _items(plan, pairs, tuple(models))
        total = sum(len(some) for some in items.values())
        study.progress = lambda done: progress(done, total)
        for kind in (ANGLES, REFINE, VERIFY):
            if items[kind]:
                study.run(items[kind])
        return _results(plan, pairs, study, items, prices)
    finally:
        study.close()


def _items(plan: StudyPlan, pairs: PairSet, models: Sequence[str]) -> dict[str, list[Item]]:
    items: dict[str, list[Item]] = {ANGLES: [], REFINE: [], VERIFY: []}
    claims = claims_of(pairs, plan.seed, every=False) if plan.verify else {}
    for model in models:
        for effort in plan.efforts:
            settings = _settings(plan, effort)
            for references in plan.references:
                for pair in pairs.pairs:
                    first = Item(
                        ANGLES, model, effort, references, pair, 0, settings, plan.image_size
                    )
                    items[ANGLES] += [replace(first, sample=k) for k in range(max(plan.samples))]
                    if plan.refine:
                        items[REFINE].append(replace(first, kind=REFINE, rounds=plan.refine))
                    if plan.verify and references == plan.references[0]:
                        items[VERIFY] += [
                            replace(first, kind=VERIFY, claim=c) for c in claims[pair.name]
                        ]
    return items


def _settings(plan: StudyPlan, effort: str | None) -> ModelSettings:
    return ModelSettings(
        effort, plan.temperature, plan.max_tokens, plan.use_schema, plan.retries, plan.timeout,
        plan.concurrency,
    )  # fmt: skip


def _results(
    plan: StudyPlan, pairs: PairSet, study: Study, items: dict[str, list[Item]], prices: Prices
) -> dict[str, Any]:
    notes = list(pairs.notes)
    if study.skipped:
        notes.append(
            f"{study.skipped} questions were not asked, to stay within {plan.max_cost} USD; "
            f"{study.ledger.spent:.4f} USD were spent"
        )
    notes += [f"{model} was given up: {error}" for model, error in study.problems.items()]
    estimate, judge, missing = own_estimator(plan.weights or plan.robot)
    variants = baselines(pairs, plan.seed, estimate, missing)
    variants += _asked(plan, pairs, study, items, prices, notes)
    rows = [table_row(variant, pairs) for variant in variants]
    verifiers = []
    if plan.verify:
        verifiers = _verifiers(plan, pairs, study, items[VERIFY], judge, notes)
    groups = [pair.target.group for pair in pairs.pairs]
    result = {
        "format": "armsight-vlm-study/1",
        "dataset": str(plan.dataset),
        "pairs": pairs.fingerprint,
        "robot": pairs.robot.name,
        "joint_names": list(pairs.robot.joint_names),
        "targets": len(pairs.pairs),
        "groups": {group: groups.count(group) for group in dict.fromkeys(groups)},
        "prompt_version": prompt_version(),
        "image_size": plan.image_size,
        "settings": _settings(plan, None).identity() | {"seed": plan.seed},
        "failures_count_as": FAILURES_COUNT_AS,
        "spent_usd": study.ledger.spent if prices.by_model else None,
        "notes": notes,
        "table": rows,
        "paired": paired_differences(variants, pairs),
        "scaling": scaling(rows),
        "verifiers": verifiers,
    }
    write_report(plan.report, result, variants, pairs)
    return result


def _asked(
    plan: StudyPlan,
    pairs: PairSet,
    study: Study,
    items: dict[str, list[Item]],
    prices: Prices,
    notes: list[str],
) -> list[Variant]:
    """Rows of all models; one that was not asked in full is left out, and named."""
    groups: dict[tuple[str, str, str | None, int], dict[str, list[Item]]] = {}
    for item in items[ANGLES] + items[REFINE]:
        key = (item.kind, item.model, item.effort, item.references)
        groups.setdefault(key, {}).setdefault(item.pair.name, []).append(item)
    variants = []
    for (kind, model, effort, references), by_pair in groups.items():
        for samples in plan.samples if kind == ANGLES else (1,):
            answers: list[list[ModelAnswer]] = []
            for pair in pairs.pairs:
                found = [study.journal.last(item) for item in by_pair[pair.name][:samples]]
                answers.append([answer for answer in found if answer is not None])
            gone = sum(len(some) < samples for some in answers)
            if gone:
                what = [model, *([f"effort {effort}"] if effort else []), f"{references} ref"]
                what.append(f"{samples} samples" if kind == ANGLES else f"refine {plan.refine}")
                notes.append(
                    f"{', '.join(what)}: not asked about {gone} of {len(answers)} targets; left "
                    "out of the table"
                )
                continue
            for how in ("median", "medoid") if samples > 1 else ("median",):
                variants.append(
                    asked_variant(
                        pairs, answers, prices, model=model, effort=effort,
                        references=references, how=how,
                        refine=plan.refine if kind == REFINE else 0,
                    )
                )  # fmt: skip
    return variants


def _verifiers(
    plan: StudyPlan,
    pairs: PairSet,
    study: Study,
    items: Sequence[Item],
    judge: Any,
    notes: list[str],
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if judge is None:
        notes.append("armsight's estimator was not tried as a verifier: it has no weights")
    else:
        by_score: dict[str, list[Verdict]] = {}
        claims = claims_of(pairs, plan.seed, every=True)
        for pair in pairs.pairs:
            target = pair.target
            evidence = judge.read(load_image(target.path), target.K)
            for claim in claims[pair.name]:
                scores = evidence.scores(claim.joint_positions, target.T_cam_base)
                for kind, score in scores.items():
                    known = score if np.isfinite(score) else None
                    by_score.setdefault(kind, []).append(_verdict(pair.name, claim, known))
        for kind, verdicts in by_score.items():
            name = ESTIMATOR + ("" if kind == "picture" else f" ({kind})")
            found.append(verifier_figures(name, verdicts, pairs))
    groups: dict[str, list[Verdict]] = {}
    for item in items:
        answer = study.journal.last(item)
        if answer is None or item.claim is None:
            continue
        name = item.model + (f", effort {item.effort}" if item.effort else "")
        verdict = _verdict(item.pair.name, item.claim, answer.disagreement)
        groups.setdefault(name, []).append(verdict)
    found += [verifier_figures(name, some, pairs) for name, some in groups.items()]
    return found


def _verdict(name: str, claim: Claim, score: float | None) -> Verdict:
    return name, claim.joint, claim.shift_deg, score
