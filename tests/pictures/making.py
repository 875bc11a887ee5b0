"""Pictures of every kind and fault, made on the spot."""

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

PLACE = b"51 30 26 N"


def gradient(width: int = 64, height: int = 48, mode: str = "RGB") -> Image.Image:
    """A picture whose left is dark and whose right is bright."""
    row = np.linspace(0, 255, width).astype(np.uint8)
    return Image.fromarray(np.tile(row, (height, 1))).convert(mode)


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    written = BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def jpeg(width: int = 64, height: int = 48, **options: Any) -> bytes:
    return encoded(gradient(width, height), "JPEG", **options)


def with_exif(orientation: int) -> bytes:
    """A JPEG that is to be turned, and tells where it was taken and by whom."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x013B] = "Ada Lovelace"
    exif.get_ifd(0x8825)[2] = (51.0, 30.0, 26.0)
    return encoded(gradient(), "JPEG", exif=exif.tobytes(), comment=PLACE, icc_profile=b"profile of a camera")


def sixteen_bits(width: int = 64, height: int = 48) -> bytes:
    row = np.linspace(0, 65535, width).astype(np.uint16)
    return encoded(Image.fromarray(np.tile(row, (height, 1))), "PNG")


def animated(kind: str) -> bytes:
    return encoded(gradient(), kind, save_all=True, append_images=[gradient().rotate(180)], duration=100)


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says it has that many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))

    head = struct.pack("!IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
