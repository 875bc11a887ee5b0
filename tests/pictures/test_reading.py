"""Reading one picture: each kind comes out as upright RGB JPEG without a word of its file, each fault is refused by name."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tenantai.pictures.picture import BYTES_MAX, TOO_LARGE, TOO_MANY_PIXELS, Picture, PictureRefused
from tenantai.pictures.reading import SIDE_PIXELS_MAX, read
from tests.pictures.making import PLACE, animated, bomb, encoded, gradient, jpeg, sixteen_bits, with_exif

GREY_16_TO_8 = 4


def read_bytes(folder: Path, content: bytes) -> Picture:
    path = folder / "picture"
    path.write_bytes(content)
    return read(path)


def opened(picture: Picture) -> Image.Image:
    image = Image.open(BytesIO(picture.content))
    image.load()
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (picture.width, picture.height))
    return image


def brightness(image: Image.Image, x: float) -> int:
    """How bright a picture is, at a part of its width."""
    return int(np.asarray(image.convert("L"))[image.height // 2, int(x * (image.width - 1))])


GOOD = {
    "jpeg": jpeg(),
    "progressive": jpeg(progressive=True),
    "grey jpeg": encoded(gradient(mode="L"), "JPEG"),
    "cmyk": encoded(gradient(mode="CMYK"), "JPEG"),
    "png": encoded(gradient(), "PNG"),
    "palette": encoded(gradient(mode="P"), "PNG"),
    "one bit": encoded(gradient(mode="1"), "PNG"),
    "grey with alpha": encoded(gradient(mode="LA"), "PNG"),
    "alpha": encoded(gradient(mode="RGBA"), "PNG"),
    "16 bits": sixteen_bits(),
    "webp": encoded(gradient(), "WEBP"),
    "lossless webp": encoded(gradient(mode="RGBA"), "WEBP", lossless=True),
    "two pictures of a phone": encoded(gradient(), "MPO", save_all=True, append_images=[gradient(32, 24)]),
}


@pytest.mark.parametrize("kind", GOOD)
def test_kinds(tmp_path: Path, kind: str) -> None:
    """Each kind is read as it looks: dark on its left, grey in its middle, bright on its right."""
    image = opened(read_bytes(tmp_path, GOOD[kind]))
    assert image.size == (64, 48)
    assert brightness(image, 0.02) < 60
    assert brightness(image, 0.98) > 200
    if kind != "one bit":
        assert abs(brightness(image, 0.5) - 128) < 25


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"GIF89a" + bytes(100), "is not a JPEG, PNG or WebP picture by its content"),
        (animated("GIF"), "is not a JPEG, PNG or WebP picture by its content"),
        (b"%PDF-1.7", "is not a JPEG, PNG or WebP picture by its content"),
        (jpeg()[:-200], "is damaged or cut off"),
        (jpeg()[:30], "is damaged or cut off"),
        (encoded(gradient(), "PNG")[:-30], "is damaged or cut off"),
        (encoded(gradient(), "PNG")[:20], "is damaged or cut off"),
        (encoded(gradient(), "WEBP")[:-30], "is damaged or cut off"),
        (animated("PNG"), "is animated; send a still picture"),
        (animated("WEBP"), "is animated; send a still picture"),
        (bomb(7072, 7071), TOO_MANY_PIXELS),
        (bomb(100_000, 100_000), TOO_MANY_PIXELS),
        (jpeg() + bytes(BYTES_MAX), TOO_LARGE),
    ],
)
def test_faults(tmp_path: Path, content: bytes, reason: str) -> None:
    """A picture with a fault is refused, and the reason names it."""
    with pytest.raises(PictureRefused) as caught:
        read_bytes(tmp_path, content)
    assert str(caught.value) == reason


def test_most_pixels(tmp_path: Path) -> None:
    """50 megapixels to the pixel are taken."""
    with pytest.raises(PictureRefused, match="damaged"):
        read_bytes(tmp_path, bomb(10_000, 5_000))


def test_most_bytes(tmp_path: Path) -> None:
    """Ten megabytes to the byte are taken."""
    content = jpeg()
    assert read_bytes(tmp_path, content + bytes(BYTES_MAX - len(content))).width == 64


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright(tmp_path: Path, orientation: int) -> None:
    """A picture is turned and mirrored as its EXIF says."""
    image = opened(read_bytes(tmp_path, with_exif(orientation)))
    assert image.size == ((64, 48) if orientation < 5 else (48, 64))
    if orientation in {1, 4}:
        assert brightness(image, 0.02) < 60
    if orientation in {2, 3}:
        assert brightness(image, 0.02) > 200


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_nothing_of_the_file_goes_on(tmp_path: Path, kind: str) -> None:
    """No EXIF, place, profile or comment is in what comes out, only the segments that a JPEG needs."""
    source = Image.open(BytesIO(with_exif(6)))
    content = with_exif(6) if kind == "JPEG" else encoded(source, kind, exif=source.getexif().tobytes())
    picture = read_bytes(tmp_path, content)
    assert b"Lovelace" in content
    assert not [word for word in (b"Lovelace", b"Exif", PLACE, b"ICC_PROFILE", b"camera") if word in picture.content]
    image = opened(picture)
    assert not image.getexif()
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif(tmp_path: Path) -> None:
    """A picture whose EXIF can't be read is taken as it lies."""
    broken = encoded(gradient(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + bytes(20))
    assert read_bytes(tmp_path, broken).width == 64


def test_scaled(tmp_path: Path) -> None:
    """A large picture is scaled by its longer side, a small one left, and a thin one keeps a pixel."""
    assert opened(read_bytes(tmp_path, jpeg(4000, 3000))).size == (SIDE_PIXELS_MAX, SIDE_PIXELS_MAX * 3 // 4)
    assert opened(read_bytes(tmp_path, encoded(gradient(3000, 1), "PNG"))).size == (SIDE_PIXELS_MAX, 1)


def test_transparent_is_white(tmp_path: Path) -> None:
    """What is transparent becomes white, in a palette too."""
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    assert brightness(opened(read_bytes(tmp_path, encoded(clear, "PNG"))), 0.5) > 250
    palette = Image.new("P", (8, 8), 0)
    assert brightness(opened(read_bytes(tmp_path, encoded(palette, "PNG", transparency=0))), 0.5) > 250


def test_grey_of_16_bits_keeps_its_shades(tmp_path: Path) -> None:
    """Sixteen bits are scaled to eight, not cut off."""
    image = opened(read_bytes(tmp_path, sixteen_bits()))
    shades = {brightness(image, part / 10) for part in range(11)}
    assert len(shades) > GREY_16_TO_8
