"""`armsight evaluate vlm`: what vision-language models know of joint angles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from armsight.cli.evaluate.options import print_result, progress_bar
from armsight.errors import ConfigError


@click.command(name="vlm")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option(
    "--models",
    default="",
    metavar="a,b,c",
    help="PROVIDER/NAME each; without any, baselines and the estimator only.",
)
@click.option("--base-url", metavar="URL", help="An OpenAI-compatible server.")
@click.option("--samples", default="1", show_default=True, metavar="1,4,16")
@click.option("--references", default="1", show_default=True, metavar="1,2,4")
@click.option("--effort", default="", metavar="low,high", help="Reasoning efforts.")
@click.option("--refine", type=click.IntRange(0, 16), default=0, metavar="K",
              help="Also refine the first sample in K rounds.")  # fmt: skip
@click.option("--verify", is_flag=True, help="Also judge true and shifted claims.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first so many targets.")
@click.option("--max-cost", type=click.FloatRange(min=0), metavar="USD",
              help="Stop before more is spent; needs --prices.")  # fmt: skip
@click.option("--prices", type=click.Path(path_type=Path), help="JSON of prices; see docs/vlm.md.")
@click.option("--concurrency", type=click.IntRange(1, 256), default=10, show_default=True)
@click.option("--retries", type=click.IntRange(0), default=6, show_default=True)
@click.option("--timeout", type=click.IntRange(1), default=180, show_default=True,
              help="Seconds for one attempt.")  # fmt: skip
@click.option("--temperature", type=click.FloatRange(0, 2), help="[default: the provider's]")
@click.option("--max-tokens", type=click.IntRange(64), default=8192, show_default=True)
@click.option("--no-schema", is_flag=True, help="Do not ask for structured output.")
@click.option("--image-size", type=click.IntRange(64, 4096), default=768, show_default=True)
@click.option("--robot", default="panda", show_default=True)
@click.option("--weights", help="The estimator's; by default the robot's.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--report", type=click.Path(path_type=Path, file_okay=False), required=True,
              help="Folder for report.html, results.csv, the answers and the logs; an interrupted "
              "run goes on from there.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def vlm(dataset: Path, as_json: bool, report: Path, **options: Any) -> None:
    """Ask models about DATASET: a folder from `armsight make-pairs`, or a labelled data set."""
    from armsight.reports.charts import require_viz
    from armsight.vlm.study.report import text_table
    from armsight.vlm.study.run import StudyPlan, run_study

    require_viz("--report")
    plan = StudyPlan(
        dataset=dataset,
        report=report,
        models=tuple(name.strip() for name in options.pop("models").split(",") if name.strip()),
        samples=_numbers("--samples", options.pop("samples")),
        references=_numbers("--references", options.pop("references")),
        efforts=tuple(e.strip() for e in options.pop("effort").split(",") if e.strip()) or (None,),
        use_schema=not options.pop("no_schema"),
        **options,
    )
    with progress_bar(1, "asking" if plan.models else "looking") as bar:

        def progress(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done)

        result = run_study(plan, progress)
    print_result(result, text_table(result), as_json, report / "report.html")


def _numbers(option: str, text: str) -> tuple[int, ...]:
    try:
        numbers = sorted({int(word) for word in text.split(",")})
    except ValueError:
        numbers = []
    if not numbers or numbers[0] < 1:
        raise ConfigError(f"{option} is {text!r}; give whole numbers from 1, e.g. 1,4,16")
    return tuple(numbers)
