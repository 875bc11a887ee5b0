"""One picture from its file: judged by its content, upright, in colours that every model takes, no larger than one needs.

What must stay true: nothing of the file but its pixels goes on, no EXIF, no place, no comment; what can't be read whole is
refused with a reason. Runs in the child process; a picture of the most pixels that are taken needs up to 900 MB of memory there.
"""

import warnings
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps

from tenantai.pictures.picture import BYTES_MAX, PIXELS_MAX, TOO_LARGE, TOO_MANY_PIXELS, Picture, PictureRefused

SIDE_PIXELS_MAX = 1536
JPEG_QUALITY = 85
FORMATS = ("JPEG", "PNG", "WEBP")
WHITE = (255, 255, 255)
EXIF_IS_BROKEN = (OSError, SyntaxError, ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError, OverflowError)

Image.MAX_IMAGE_PIXELS = PIXELS_MAX
warnings.simplefilter("error", Image.DecompressionBombWarning)


def read(path: Path) -> Picture:
    """Return the picture in a file; raises PictureRefused."""
    size = path.stat().st_size
    if not size:
        raise PictureRefused("is empty")
    if size > BYTES_MAX:
        raise PictureRefused(TOO_LARGE)
    with _opened(path) as image:
        _require_still(image)
        _load(image)
        upright = _upright(_scaled(_eight_bits(image)))
    flat = _flat(upright)
    flat.info.clear()
    written = BytesIO()
    flat.save(written, "JPEG", quality=JPEG_QUALITY)
    return Picture(written.getvalue(), flat.width, flat.height)


def _opened(path: Path) -> Image.Image:
    try:
        image = Image.open(path, formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureRefused(TOO_MANY_PIXELS) from None
    except Exception:  # noqa: BLE001  Pillow's readers stumble on hostile heads in many ways
        raise PictureRefused(_why_not(path)) from None
    if image.width * image.height > PIXELS_MAX:
        raise PictureRefused(TOO_MANY_PIXELS)
    return image


def _why_not(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(16)
    is_named = head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
    return "is damaged or cut off" if is_named else "is not a JPEG, PNG or WebP picture by its content"


def _require_still(image: Image.Image) -> None:
    """Raise for an animation; the further pictures that cameras put behind a JPEG (format MPO) are none."""
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise PictureRefused("is animated; send a still picture")


def _load(image: Image.Image) -> None:
    """Decode; a JPEG by halves down to what is needed, which spares most of its memory."""
    try:
        image.draft(None, (SIDE_PIXELS_MAX, SIDE_PIXELS_MAX))
        image.load()
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  as above
        raise PictureRefused("is damaged or cut off") from None


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return 16-bit greys as 8-bit ones: Pillow would cut them off at 255, not scale them."""
    if image.mode.startswith("I"):
        return image.point(lambda value: value * (1 / 256)).convert("L")
    return image


def _scaled(image: Image.Image) -> Image.Image:
    if image.mode in {"1", "P", "PA"}:
        has_transparency = image.mode == "PA" or "transparency" in image.info
        image = image.convert("RGBA" if has_transparency else "RGB")
    image.thumbnail((SIDE_PIXELS_MAX, SIDE_PIXELS_MAX), reducing_gap=2.0)
    return image


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except EXIF_IS_BROKEN:
        return image


def _flat(image: Image.Image) -> Image.Image:
    """Return RGB; what is transparent becomes white."""
    if image.mode in {"RGBA", "LA", "RGBa", "La"} or "transparency" in image.info:
        seen = image.convert("RGBA")
        flat = Image.new("RGB", seen.size, WHITE)
        flat.paste(seen, mask=seen.getchannel("A"))
        return flat
    return image.convert("RGB")
