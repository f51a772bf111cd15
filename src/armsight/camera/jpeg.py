"""Damage in JPEG files that decoders hide: they guess on, and show a picture nobody took."""

from __future__ import annotations

END_OF_IMAGE = b"\xff\xd9"


def is_damaged_jpeg(data: bytes) -> bool:
    """Whether a JPEG file's data break off or do not decode.

    Pillow and OpenCV go on after such an error with shifted blocks and colours. FFmpeg's decoder
    (https://ffmpeg.org/ffmpeg-codecs.html, `err_detect`) tells. Kinds of JPEG that it does not know
    count as undamaged, and so does a changed byte that still decodes.
    """
    import av

    level = av.logging.get_level()
    av.logging.set_level(av.logging.PANIC)
    try:
        decoder = av.CodecContext.create("mjpeg", "r")
        decoder.options = {"err_detect": "explode"}
        # A file that lacks no more than its end marker is whole.
        frames = decoder.decode(av.Packet(data + END_OF_IMAGE))
        return not (frames or decoder.decode(None))
    except av.InvalidDataError:
        return True
    except (av.FFmpegError, ValueError):
        return False
    finally:
        av.logging.set_level(level)
