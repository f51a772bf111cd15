"""A request's body, query and form as images and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from starlette.datastructures import UploadFile
from starlette.requests import Request

from armsight.camera.parse import parse_box, parse_K
from armsight.errors import ConfigError
from armsight.web.desk import Settings
from armsight.web.failure import Refusal
from armsight.web.limits import Limits

PARAMETERS = ("robot", "K", "fov_deg", "box", "hypotheses", "outline")
"""By query or by form field"""
FORM, IMAGE_FIELD = "multipart/form-data", "image"
BOOLS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True)
class Asked:
    """What a request wants."""

    contents: list[bytes]
    names: list[str | None]
    """As the client calls its images; only ever repeated back to it"""
    settings: Settings
    many: bool
    """Whether a list is expected"""


async def read_request(
    request: Request, defaults: Settings, robots: tuple[str, ...], limits: Limits
) -> Asked:
    """Read one image as the body, or several as parts `image` of a form.

    Raises:
        Refusal: there is no image, there are too many, or a parameter is unknown.
        ConfigError, BadIntrinsicsError: a parameter makes no sense.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    values = dict(request.query_params)
    values.pop("token", None)
    if kind == FORM:
        contents, names, fields = await _read_form(request, limits)
        if twice := set(fields) & set(values):
            both = ", ".join(sorted(twice))
            raise Refusal(400, f"{both} is given both in the query and in the form")
        values |= fields
    elif kind in ("", "application/octet-stream") or kind.startswith("image/"):
        contents, names = [await request.body()], [None]
    else:
        raise Refusal(
            415,
            f"content type {kind!r}; send an image (image/jpeg, image/png, ...) or a form "
            f"({FORM}) with one or more parts named {IMAGE_FIELD!r}",
        )
    if not contents or not any(contents):
        raise Refusal(400, "the request holds no image")
    settings = read_settings(values, defaults, robots)
    return Asked(contents, names, settings, many=kind == FORM)


async def _read_form(
    request: Request, limits: Limits
) -> tuple[list[bytes], list[str | None], dict[str, str]]:
    """Images, their names, and the other fields."""
    contents: list[bytes] = []
    names: list[str | None] = []
    fields: dict[str, str] = {}
    async with request.form(max_files=limits.images, max_fields=len(PARAMETERS)) as form:
        for key, value in form.multi_items():
            if not isinstance(value, UploadFile):
                fields[key] = value
            elif key == IMAGE_FIELD:
                contents.append(await value.read())
                names.append(value.filename)
            else:
                raise Refusal(400, f"the form has a file {key!r}; call each one {IMAGE_FIELD!r}")
    return contents, names, fields


def read_settings(
    values: Mapping[str, str], defaults: Settings, robots: tuple[str, ...]
) -> Settings:
    """Parameters as settings; those that are not named are `defaults`.

    Raises:
        Refusal: a parameter or a robot is unknown.
        ConfigError, BadIntrinsicsError: a value makes no sense.
    """
    if unknown := [name for name in values if name not in PARAMETERS]:
        raise Refusal(400, f"unknown parameter {unknown[0]!r}; known: {', '.join(PARAMETERS)}")
    found = defaults
    if (robot := values.get("robot")) is not None:
        if robot not in robots:
            raise Refusal(404, f"no robot {robot!r} is served here; known: {', '.join(robots)}")
        found = replace(found, robot=robot)
    if "K" in values and "fov_deg" in values:
        raise Refusal(400, "give only one of K and fov_deg")
    if "K" in values:
        found = replace(found, K=parse_K(values["K"], "K"), camera=None, fov_deg=None)
    if "fov_deg" in values:
        fov_deg = _number("fov_deg", values["fov_deg"])
        found = replace(found, K=None, camera=None, fov_deg=fov_deg)
    if "box" in values:
        found = replace(found, box=parse_box(values["box"], "box"))
    if "hypotheses" in values:
        found = replace(found, hypotheses=int(_number("hypotheses", values["hypotheses"])))
    if "outline" in values:
        outline = BOOLS.get(values["outline"].lower())
        if outline is None:
            raise ConfigError(f"outline is {values['outline']!r}; give true or false")
        found = replace(found, outline=outline)
    return found


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < 1e9:
        raise ConfigError(f"{name} is {text!r}; give a number")
    return value
