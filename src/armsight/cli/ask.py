"""`armsight ask`: joint angles from a vision-language model, or a check of claimed ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from PIL import Image

from armsight.camera.parse import parse_K
from armsight.cli._report import table
from armsight.cli.verify import report_verdict
from armsight.errors import BadIntrinsicsError, ConfigError
from armsight.outputs.documents import dumps

if TYPE_CHECKING:
    from armsight.state import Estimate

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


@click.command()
@click.argument("image", type=click.Path(path_type=Path))
@click.option("--model", required=True, metavar="PROVIDER/NAME",
              help="openai/…, anthropic/…, google/…, ollama/…, vllm/…, hf/… (local), or any name "
              "with --base-url.")  # fmt: skip
@click.option("--base-url", metavar="URL", help="An OpenAI-compatible server, e.g. "
              "http://localhost:8000/v1.")  # fmt: skip
@click.option(
    "--reference",
    "references",
    multiple=True,
    metavar="IMAGE",
    help="A picture with known joint angles; repeatable.  [default: the package's own]",
)
@click.option("--reference-joints", "reference_joints", multiple=True, metavar="FILE",
              help="Its joint angles [rad]: JSON or text; one for each --reference.")  # fmt: skip
@click.option("--robot", default="panda", show_default=True, help="Name, data file, URDF or MJCF.")
@click.option("--samples", type=click.IntRange(1, 256), default=1, show_default=True)
@click.option("--merge", type=click.Choice(["median", "medoid"]), default="median",
              show_default=True, help="How samples become one answer.")  # fmt: skip
@click.option("--effort", type=click.Choice(EFFORTS), help="Reasoning effort.")
@click.option("--temperature", type=click.FloatRange(0, 2), help="[default: the provider's]")
@click.option("--image-size", type=click.IntRange(64, 4096), default=768, show_default=True,
              help="Longer side [px] of the pictures that are sent.")  # fmt: skip
@click.option("--no-schema", is_flag=True, help="Do not ask the provider to hold the JSON schema.")
@click.option("--max-tokens", type=click.IntRange(64), default=8192, show_default=True,
              help="Of one answer, reasoning included.")  # fmt: skip
@click.option("--timeout", type=click.IntRange(1), default=180, show_default=True,
              help="Seconds for one attempt.")  # fmt: skip
@click.option("--retries", type=click.IntRange(0), default=3, show_default=True)
@click.option("--prices", type=click.Path(path_type=Path), help="JSON of prices; see docs/vlm.md.")
@click.option("--K", "K", metavar="fx,fy,cx,cy", help="Camera intrinsics [px].")
@click.option("--camera", type=click.Path(path_type=Path), help="Camera file, for K.")
@click.option(
    "--camera-pose",
    type=click.Path(path_type=Path),
    help="T_cam_base (4x4, JSON or text): with it and K keypoints are given, and --verify by "
    "armsight is sharper.",
)
@click.option("--refine", type=click.IntRange(0, 16), default=0, metavar="K",
              help="K rounds of drawing the answer and asking for corrections.")  # fmt: skip
@click.option("--verify", type=click.Path(path_type=Path), metavar="FILE",
              help="Do these claimed joint angles agree with IMAGE?")  # fmt: skip
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Where IMAGE.ask.json and IMAGE.ask.overlay.png go.  [default: here]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, nothing else.")
def command(image: Path, **options: Any) -> None:
    """Ask a vision-language model for the joint angles of the arm in IMAGE.

    Keys are read from the environment only, e.g. OPENAI_API_KEY. With --model armsight --verify
    FILE, armsight's own estimator judges the claimed angles.
    """
    from armsight.camera.camera_file import check_K, read_camera_file
    from armsight.robots import load_robot
    from armsight.verify.claim_files import read_pose

    if options["K"] is not None and options["camera"] is not None:
        raise BadIntrinsicsError("give only one of --K and --camera")
    robot = load_robot(options["robot"])
    K = None if options["K"] is None else check_K(parse_K(options["K"]))
    camera = None if options["camera"] is None else read_camera_file(options["camera"])
    T = None if options["camera_pose"] is None else read_pose(options["camera_pose"])
    if T is not None and K is None and camera is None:
        raise BadIntrinsicsError("--camera-pose needs --K or --camera")
    if options["verify"] is not None:
        _verify(image, robot, K, camera, T, options)
    elif options["model"] == "armsight":
        raise ConfigError("--model armsight judges claims only (--verify); use `armsight estimate`")
    else:
        _ask(image, robot, K, camera, T, options)


def _ask(image: Path, robot: Any, K: Any, camera: Any, T: Any, options: dict[str, Any]) -> None:
    from armsight.camera.image import load_image
    from armsight.camera.intrinsics import find_intrinsics
    from armsight.files import atomic_write
    from armsight.viz.overlay import draw_overlay
    from armsight.vlm.answer import record, to_estimate
    from armsight.vlm.ask import Question, ask_samples
    from armsight.vlm.picture import prepare
    from armsight.vlm.providers import engine
    from armsight.vlm.providers.prices import Prices
    from armsight.vlm.references import given_references
    from armsight.vlm.refine import refine_all

    loaded = load_image(image)
    intrinsics = None
    if K is not None or camera is not None:
        intrinsics = find_intrinsics(loaded, K, camera, None)
    side = options["image_size"]
    prices = Prices.read(options["prices"])
    references = given_references(options["references"], options["reference_joints"], robot, side)
    question = Question(robot, references, prepare(loaded, side))
    settings = _settings(options)
    name = engine.full_name(options["model"], options["base_url"])
    model = engine.get_model(options["model"], options["base_url"])

    async def run() -> Any:
        answers = await ask_samples(model, question, settings, options["samples"])
        if not options["refine"]:
            return answers, []
        view = None if T is None or intrinsics is None else (intrinsics.K, T)
        return await refine_all(model, question, settings, answers, options["refine"], loaded, view)

    answers, rounds = engine.run(model, run())
    estimate = to_estimate(
        robot, answers, options["merge"], T_cam_base=T, image=str(image),
        K=None if intrinsics is None else intrinsics.K,
        source="assumed" if intrinsics is None else intrinsics.source,
    )  # fmt: skip
    vlm = record(question, name, settings.identity(), answers, prices) | {"refine": rounds}
    document = estimate.to_json() | {"vlm": vlm}
    targets = [options["out"] / f"{image.stem}.ask{end}" for end in (".json", ".overlay.png")]
    with atomic_write(targets[0]) as path:
        path.write_text(dumps(document) + "\n", encoding="utf-8")
    drawn = draw_overlay(loaded.pixels, estimate, robot, full_size=(loaded.width, loaded.height))
    with atomic_write(targets[1]) as path:
        Image.fromarray(drawn).save(path)
    if options["as_json"]:
        click.echo(dumps(document))
    else:
        _tell(estimate, vlm, name, targets)
    if not estimate.robot_found:
        from armsight.vlm.errors import NoUsableAnswerError

        problem = next((a.parsed.problem for a in answers if a.parsed.problem), "")
        raise NoUsableAnswerError(f"{name} gave no usable answer: {problem}")


def _tell(estimate: Estimate, vlm: dict[str, Any], name: str, targets: list[Path]) -> None:
    """The answer for a person, and what it cost."""
    cost = "unknown (no --prices)" if vlm["cost_usd"] is None else f"{vlm['cost_usd']:.4f} USD"
    tokens, count = vlm["tokens"], len(vlm["answers"])
    click.echo(table(estimate))
    click.echo(
        f"  asked {name}, {count} sample{'s' * (count > 1)}, "
        f"{tokens['input_tokens']} tokens in, {tokens['output_tokens']} out, "
        f"{vlm['latency_s']:.1f} s, cost {cost}\n"
        f"  wrote {', '.join(map(str, targets))}"
    )


def _verify(image: Path, robot: Any, K: Any, camera: Any, T: Any, options: dict[str, Any]) -> None:
    from armsight.verify.claim_files import read_joints
    from armsight.verify.verdict import verify_joints
    from armsight.vlm.ask import Question
    from armsight.vlm.picture import prepare
    from armsight.vlm.providers import engine
    from armsight.vlm.providers.prices import Prices
    from armsight.vlm.references import given_references
    from armsight.vlm.verify import judge_with_model

    claimed = read_joints(options["verify"], robot)
    if options["model"] == "armsight":
        document = verify_joints(image, robot, claimed, K, camera, T)
    else:
        side = options["image_size"]
        prices = Prices.read(options["prices"])
        chosen = given_references(options["references"], options["reference_joints"], robot, side)
        question = Question(robot, chosen, prepare(image, side), claimed)
        model = engine.get_model(options["model"], options["base_url"])
        document = engine.run(
            model,
            judge_with_model(
                model,
                engine.full_name(options["model"], options["base_url"]),
                question,
                _settings(options),
                options["samples"],
                prices,
            ),
        )
    report_verdict(image, document, options["as_json"])


def _settings(options: dict[str, Any]) -> Any:
    from armsight.vlm.providers.engine import ModelSettings

    return ModelSettings(
        effort=options["effort"],
        temperature=options["temperature"],
        max_tokens=options["max_tokens"],
        use_schema=not options["no_schema"],
        max_retries=options["retries"],
        timeout_s=options["timeout"],
    )
