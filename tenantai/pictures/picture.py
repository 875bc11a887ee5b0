"""What the server and its child process both know of pictures; no library that decodes any is loaded here."""

from dataclasses import dataclass

MEGABYTE = 1024 * 1024
BYTES_MAX = 10 * MEGABYTE
PIXELS_MAX = 50_000_000
PICTURES_MAX = 10
TOO_LARGE = f"is larger than the {BYTES_MAX // MEGABYTE} MB that are taken"
TOO_MANY_PIXELS = f"has more than the {PIXELS_MAX // 1_000_000} megapixels that are taken"


class PictureRefused(Exception):  # noqa: N818  reads as a sentence, like the errors of tenantai.errors
    """Why a picture is not taken, to be read after its name."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture for a model: JPEG, upright, and how many pixels it has."""

    content: bytes
    width: int
    height: int
