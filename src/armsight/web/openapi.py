"""The server's description of itself, OpenAPI 3.1."""

from __future__ import annotations

from typing import Any

from armsight.state import INTRINSICS_SOURCES, UNITS
from armsight.web.limits import MEGABYTE, Limits

JSON = "application/json"
IMAGES = ("image/jpeg", "image/png", "image/webp", "image/*", "application/octet-stream")
ARRAY_OR_NULL: dict[str, Any] = {"type": ["array", "null"]}
BY_KEYPOINT: dict[str, Any] = {"type": ["object", "null"]}
ESTIMATE: dict[str, dict[str, Any]] = {
    "image": {"type": ["string", "null"], "description": "the name that the client gave it"},
    "robot": {"type": "string"},
    "robot_found": {"type": "boolean"},
    "confidence": {"type": "number", "minimum": 0, "maximum": 1},
    "presence": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
    "joint_names": {"type": "array", "items": {"type": "string"}},
    "joint_positions": ARRAY_OR_NULL,
    "joint_std": ARRAY_OR_NULL,
    "keypoint_names": {"type": "array", "items": {"type": "string"}},
    "keypoints_2d": BY_KEYPOINT,
    "keypoints_2d_std": BY_KEYPOINT,
    "keypoints_3d_cam": BY_KEYPOINT,
    "T_cam_base": {**ARRAY_OR_NULL, "description": "4x4, base frame to camera frame"},
    "T_cam_base_std": ARRAY_OR_NULL,
    "covariance": ARRAY_OR_NULL,
    "focal_length_std": {"type": ["number", "null"]},
    "samples": {**ARRAY_OR_NULL, "description": "the diffusion model's hypotheses"},
    "K": {**ARRAY_OR_NULL, "description": "3x3 camera matrix that was used"},
    "distortion": {"type": ["object", "null"]},
    "intrinsics_source": {"type": "string", "enum": list(INTRINSICS_SOURCES)},
    "metric_depth_reliable": {"type": ["boolean", "null"]},
    "messages": {"type": "array", "items": {"type": "string"}},
    "others": {"type": "array", "description": "further arms, less sure than this one"},
    "units": {"type": "object"},
}
"""What `Estimate.to_json` holds"""
STATUSES = {
    "400": "no image, an unknown parameter, or a form that cannot be read",
    "401": "the token is missing or wrong",
    "403": "a page of another site asked",
    "404": "no such robot is served here",
    "408": "the request's body took too long to arrive",
    "413": "the body, or an image, is too large",
    "415": "the content type is no image and no form",
    "421": "the Host header is not this machine's",
    "422": "the image or a parameter makes no sense",
    "503": "too many images wait; Retry-After says when to come back",
    "504": "no answer within the time limit",
}


def openapi(version: str, robots: tuple[str, ...], limits: Limits) -> dict[str, Any]:
    """The OpenAPI document of a server with these robots and limits."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "armsight",
            "version": version,
            "description": "A robot arm's joint angles and camera pose from an image. At most "
            f"{limits.body_bytes / MEGABYTE:g} MB a request, {limits.images} images, "
            f"{limits.pixels / 1e6:g} megapixels an image; an answer within "
            f"{limits.answer_seconds:g} s.",
        },
        "paths": {
            "/v1/estimate": {"post": _estimate_operation(robots)},
            "/v1/robots": {"get": _get("The robots that are served, by name")},
            "/v1/health": {"get": _get("Whether the server is up, and how many images wait")},
        },
        "components": {
            "schemas": {
                "Estimate": _estimate_schema(),
                "Estimates": {
                    "type": "object",
                    "required": ["estimates"],
                    "properties": {
                        "estimates": {"type": "array", "items": _ref("Estimate")},
                    },
                    "description": "In the order of the images. One that could not be read has "
                    "`error`, and null elsewhere.",
                },
                "Failure": _failure_schema(),
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _estimate_operation(robots: tuple[str, ...]) -> dict[str, Any]:
    binary = {"type": "string", "format": "binary"}
    form = {
        "type": "object",
        "required": ["image"],
        "properties": {
            "image": {"type": "array", "items": binary},
            **{one["name"]: one["schema"] for one in _parameters(robots)},
        },
    }
    errors = {
        status: {"description": why, "content": {JSON: {"schema": _ref("Failure")}}}
        for status, why in STATUSES.items()
    }
    return {
        "summary": "Read the arm in an image, or in several",
        "operationId": "estimate",
        "parameters": _parameters(robots),
        "requestBody": {
            "required": True,
            "content": {
                **{kind: {"schema": binary} for kind in IMAGES},
                "multipart/form-data": {"schema": form},
            },
        },
        "responses": {
            "200": {
                "description": "An Estimate for an image as the body, Estimates for a form",
                "content": {JSON: {"schema": {"oneOf": [_ref("Estimate"), _ref("Estimates")]}}},
            },
            **errors,
        },
    }


def _parameters(robots: tuple[str, ...]) -> list[dict[str, Any]]:
    def query(name: str, description: str, **schema: Any) -> dict[str, Any]:
        return {"name": name, "in": "query", "description": description, "schema": schema}

    return [
        query("robot", "Which robot to look for", type="string", enum=list(robots)),
        query("K", "fx,fy,cx,cy [px] of the upright image", type="string"),
        query("fov_deg", "Horizontal field of view [deg]", type="number"),
        query("box", "x0,y0,x1,y1 [px] around the arm", type="string"),
        query("hypotheses", "Samples of the model", type="integer", minimum=1),
        query("outline", "Move the arm's outline onto the picture's edges", type="boolean"),
    ]


def _estimate_schema() -> dict[str, Any]:
    properties = {
        name: {**schema, "x-unit": UNITS[name]} if name in UNITS else schema
        for name, schema in ESTIMATE.items()
    }
    error = {"type": "string", "description": "In a list: why this image could not be read"}
    return {
        "type": "object",
        "required": list(ESTIMATE),
        "properties": {**properties, "error": error},
    }


def _failure_schema() -> dict[str, Any]:
    inner = {"status": {"type": "integer"}, "message": {"type": "string"}}
    error = {"type": "object", "required": list(inner), "properties": inner}
    return {"type": "object", "required": ["error"], "properties": {"error": error}}


def _get(summary: str) -> dict[str, Any]:
    content = {JSON: {"schema": {"type": "object"}}}
    return {"summary": summary, "responses": {"200": {"description": "OK", "content": content}}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
