"""Any image that people have -> upright 8-bit RGB pixels, or an error that says what is wrong."""

from __future__ import annotations

import contextlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from armsight.camera.crops import cut
from armsight.camera.jpeg import is_damaged_jpeg
from armsight.errors import BadImageError

Pixels = NDArray[np.uint8]
ImageLike: TypeAlias = "str | Path | bytes | Image.Image | NDArray[Any]"

MIN_SIDE = 32
"""Shortest side [px] on which an arm can be told apart."""
MAX_PIXELS = 178_000_000
"""Pillow's own limit against decompression bombs."""
WORKING_PIXELS = 24_000_000
"""Larger pictures are reduced by whole factors while loading, which bounds the memory."""
STRIP = 512
"""Rows that are reduced at a time"""
FAINTEST_ALPHA = 1
"""Alpha up to which, everywhere, a picture is not transparent but wrongly saved"""
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError)
"""What Pillow raises in the middle of a broken file."""
SUFFIXES = (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif")
"""What a folder is searched for."""


@dataclass(frozen=True)
class LoadedImage:
    """An upright image. `width` and `height` are the original's; `pixels` may be smaller."""

    pixels: Pixels
    """(h, w, 3) RGB"""
    width: int
    height: int
    name: str | None = None
    """The path it was read from, where there is one"""
    focal_35mm: float | None = None
    """EXIF FocalLengthIn35mmFilm [mm]: the focal length on a 43.27 mm diagonal"""
    messages: tuple[str, ...] = ()

    def cut(self, box: tuple[float, float, float, float], size: int) -> Pixels:
        """Square `box` (outer edges x0, y0, x1, y1 [px] of the original) as (size, size, 3)."""
        h, w = self.pixels.shape[:2]
        sx, sy = w / self.width, h / self.height
        x0, y0, x1, y1 = box
        working = ((x0 + 0.5) * sx, (y0 + 0.5) * sy, (x1 + 0.5) * sx, (y1 + 0.5) * sy)
        return cut(self.pixels, tuple(edge - 0.5 for edge in working), size)


def load_image(image: ImageLike | LoadedImage) -> LoadedImage:
    """Read a file, its bytes, a Pillow image or an array as an upright RGB image.

    EXIF rotation is applied, so that all pixel coordinates (and `K`) are those of the picture as
    a viewer shows it. Transparency is laid over white, 16-bit values are scaled to 8 bits, and of
    an animation the first frame is taken, with a message.

    Args:
        image: a path, the bytes of an image file, a Pillow image, or an array (H, W), (H, W, 1),
            (H, W, 3) RGB or (H, W, 4) RGBA of dtype uint8 or uint16.

    Raises:
        BadImageError: it is not an image, is broken, too small or too large.
    """
    if isinstance(image, LoadedImage):
        return image
    if isinstance(image, str | Path):
        loaded = _from_file(Path(image))
    elif isinstance(image, bytes):
        loaded = _from_stream(io.BytesIO(image), "the image", None)
    elif isinstance(image, Image.Image):
        loaded = _from_pillow(image, "the image", None)
    elif hasattr(image, "__array__"):
        loaded = _from_array(np.asarray(image))
    else:
        raise BadImageError(
            f"cannot read an image from {type(image).__name__}; give a path, a file's bytes, a "
            "Pillow image, or a uint8 array (H, W, 3) in RGB order"
        )
    if min(loaded.width, loaded.height) < MIN_SIDE:
        raise BadImageError(
            f"{loaded.name or 'the image'} is {loaded.width}x{loaded.height} pixels; an arm needs "
            f"at least {MIN_SIDE} pixels on the shorter side"
        )
    return loaded


def _from_file(path: Path) -> LoadedImage:
    if not path.exists():
        raise BadImageError(f"{path} does not exist")
    if not path.is_file():
        raise BadImageError(f"{path} is not a file")
    try:
        with path.open("rb") as file:
            return _from_stream(file, str(path), str(path))
    except PermissionError:
        raise BadImageError(f"{path} cannot be read: no permission") from None
    except OSError as error:
        raise BadImageError(f"{path} cannot be read: {error.strerror}") from error


def _from_stream(file: BinaryIO, what: str, name: str | None) -> LoadedImage:
    """The image in an open file that can be wound back; `what` is how errors call it."""
    head = file.read(12)
    file.seek(0)
    if not head:
        raise BadImageError(f"{what} is empty (0 bytes)")
    try:
        with warnings.catch_warnings():
            # Between Pillow's warning and its error lie pictures that we can still read.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                loaded = _from_pillow(image, what, name, file)
                kind = image.format
    except UnidentifiedImageError:
        heic = head[4:8] == b"ftyp" or what.lower().endswith((".heic", ".heif"))
        hint = " (save HEIC as JPEG first)" if heic else ""
        raise BadImageError(
            f"{what} is not an image that can be read{hint}; known: JPEG, PNG, WebP, BMP, TIFF, GIF"
        ) from None
    except Image.DecompressionBombError:
        raise BadImageError(
            f"{what} has more than {MAX_PIXELS // 10**6} megapixels; make it smaller: an arm needs "
            "a few hundred pixels"
        ) from None
    except DAMAGE as error:
        raise BadImageError(f"{what} is damaged and cannot be read: {error}") from error
    if kind in ("JPEG", "MPO"):
        file.seek(0)
        if is_damaged_jpeg(file.read()):
            raise BadImageError(
                f"{what} is damaged: its data do not decode, and what viewers show of it is in "
                "part made up. Fetch it again, or save what is left of it as a new file"
            )
    return loaded


def _from_pillow(
    image: Image.Image, what: str, name: str | None, file: BinaryIO | None = None
) -> LoadedImage:
    """`file` is the image's own, where there is one: Pillow cuts 16-bit colours to 8 bits."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise BadImageError(
            f"{what} has {width * height / 1e6:.0f} megapixels ({width}x{height}); the most is "
            f"{MAX_PIXELS // 10**6}. Make it smaller: an arm needs a few hundred pixels"
        )
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    messages: tuple[str, ...] = ()
    if frames > 1:
        messages = (f"animated: only the first of {frames} frames was read",)
    try:
        rgb, notes = (
            _deep_colours(image, file, what)
            if file is not None and _has_deep_colours(image)
            else _to_rgb(_reduced(image, what), what)
        )
        exif = _exif(image)  # reading it before the pixels would hide that they are damaged
        upright = ImageOps.exif_transpose(rgb)
    except DAMAGE as error:
        raise BadImageError(f"{what} is damaged and cannot be read: {error}") from error
    messages = (*messages, *notes)
    orientation = exif.get("orientation", 1)
    if orientation not in range(1, 9):
        messages = (*messages, f"there is no EXIF orientation {orientation}: it was ignored")
    elif orientation >= 5:
        width, height = height, width
    pixels = np.asarray(upright)
    return LoadedImage(pixels, width, height, name, exif.get("focal_35mm"), messages)


def _reduced(image: Image.Image, what: str) -> Image.Image:
    """The image itself, or a smaller RGB one by a whole factor when it is very large."""

    def factor() -> int:
        return int(np.ceil(np.sqrt(image.width * image.height / WORKING_PIXELS)))

    if factor() > 1:
        # A JPEG can be decoded at an eighth of its size without ever holding the whole.
        image.draft("RGB", (image.width // factor(), image.height // factor()))
    image.load()
    by = factor()
    if by == 1:
        return image
    # In strips: converting the whole at once would take several times its memory.
    small = Image.new("RGB", (-(-image.width // by), -(-image.height // by)))
    step = by * max(1, STRIP // by)
    for top in range(0, image.height, step):
        strip = image.crop((0, top, image.width, min(top + step, image.height)))
        small.paste(_to_rgb(strip, what)[0].reduce(by), (0, top // by))
    small.info["exif"] = image.getexif().tobytes()
    return small


def _to_rgb(image: Image.Image, what: str) -> tuple[Image.Image, tuple[str, ...]]:
    """The image in RGB, and what a person should know of how it was read."""
    if image.mode == "RGB":
        return image, ()
    exif = image.getexif()
    notes: tuple[str, ...] = ()
    if image.mode.startswith("I"):
        # 'I' holds whatever the file held; a 16-bit range is what cameras write.
        values, notes = _eight_bits(np.clip(np.asarray(image), 0, 65535).astype(np.uint16))
        rgb = Image.fromarray(values).convert("RGB")
    elif image.mode == "F":
        raise BadImageError(f"{what} holds floating-point values; save it with 8 or 16 bits")
    elif image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        pixels, notes = _over_white(np.asarray(image.convert("RGBA")))
        rgb = Image.fromarray(pixels)
    else:
        rgb = image.convert("RGB")
    # exif_transpose reads the orientation from here.
    rgb.info["exif"] = exif.tobytes()
    return rgb, notes


def _has_deep_colours(image: Image.Image) -> bool:
    """Whether a file holds colours of 16 bits, of which Pillow would keep the upper 8."""
    return image.format == "PNG" and any(
        "RGB;16" in str(tile[-1]) for tile in getattr(image, "tile", ())
    )


def _deep_colours(
    image: Image.Image, file: BinaryIO, what: str
) -> tuple[Image.Image, tuple[str, ...]]:
    at = file.tell()
    file.seek(0)
    values = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    file.seek(at)
    if values is None or values.dtype != np.uint16:
        return _to_rgb(_reduced(image, what), what)
    pixels, notes = _eight_bits(values[..., 2::-1].astype(np.uint16))
    rgb = Image.fromarray(pixels)
    rgb.info["exif"] = image.getexif().tobytes()
    return rgb, notes


def _eight_bits(values: NDArray[np.uint16]) -> tuple[Pixels, tuple[str, ...]]:
    """16-bit values as 8-bit ones, and a note where they use fewer bits than 16.

    Sensors with 8 to 14 bits are often stored in 16 without scaling: the picture would be black.
    """
    largest = int(values.max(initial=0))
    bits = next((bits for bits in (8, 10, 12, 14) if largest < 2**bits), 16)
    if bits == 16 or largest == 0:
        return (values // 257).astype(np.uint8), ()
    scaled = values.astype(np.uint32) * 255 // (2**bits - 1)
    note = f"16-bit picture with values of up to {largest}: read as {bits} bits"
    return scaled.astype(np.uint8), (note,)


def _over_white(rgba: Pixels) -> tuple[Pixels, tuple[str, ...]]:
    """RGBA (H, W, 4) laid over white (H, W, 3); an alpha channel that hides everything is none."""
    if rgba[..., 3].max(initial=0) <= FAINTEST_ALPHA:
        return np.ascontiguousarray(rgba[..., :3]), ("the alpha channel is empty: it was ignored",)
    alpha = rgba[..., 3:].astype(np.uint16)
    mixed = (rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return mixed.astype(np.uint8), ()


def _exif(image: Image.Image) -> dict[str, Any]:
    """Orientation (1 to 8) and 35 mm focal length, as far as the file holds sensible ones."""
    found: dict[str, Any] = {}
    # EXIF is written by anything and everything: what cannot be read is left out.
    with contextlib.suppress(Exception):
        exif = image.getexif()
        found["orientation"] = int(exif.get(0x0112, 1))
        focal = float(exif.get_ifd(0x8769).get(0xA405, 0))
        if 5 <= focal <= 1000:
            found["focal_35mm"] = focal
    return found


def _from_array(array: NDArray[Any]) -> LoadedImage:
    shape = array.shape
    if array.ndim == 3 and shape[0] in (1, 3, 4) and shape[2] not in (1, 3, 4):
        raise BadImageError(
            f"image array has shape {shape}, which looks channel-first; give (H, W, 3), e.g. "
            "image.transpose(1, 2, 0)"
        )
    if array.ndim not in (2, 3) or (array.ndim == 3 and shape[2] not in (1, 3, 4)):
        raise BadImageError(
            f"image array has shape {shape}; it must be (H, W, 3) in RGB order; "
            "for several images give a list"
        )
    notes: tuple[str, ...] = ()
    if array.dtype == np.uint16:
        array, notes = _eight_bits(array)
    if array.dtype != np.uint8:
        detail = ""
        if np.issubdtype(array.dtype, np.floating) and array.size and not np.isfinite(array).all():
            detail = " and holds NaN or infinity"
        raise BadImageError(
            f"image array has dtype {array.dtype}{detail}; it must be uint8 (0 to 255), e.g. "
            "(image * 255).astype(np.uint8) for values from 0 to 1"
        )
    if array.size == 0:
        raise BadImageError(f"image array is empty: shape {shape}")
    if array.ndim == 2 or shape[2] == 1:
        array = np.repeat(array.reshape(*shape[:2], 1), 3, axis=2)
    elif shape[2] == 4:
        array, more = _over_white(array)
        notes = (*notes, *more)
    return LoadedImage(np.ascontiguousarray(array), shape[1], shape[0], messages=notes)
