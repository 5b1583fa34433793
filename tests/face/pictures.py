"""Image files made in memory: good ones of every kind, and the hostile and broken ones."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
Pixels = NDArray[np.uint8]


def scene(width: int = 48, height: int = 32) -> Image.Image:
    """An RGB picture that looks different after each of the eight turns."""
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    red, green, blue = 40 + 200 * across, 30 + 180 * down, 220 - 160 * across * down
    pixels = np.stack([red, green, blue], axis=2)
    pixels[: height // 4, : width // 4] = 250, 20, 20
    return Image.fromarray(pixels.astype(np.uint8))


def bgr(image: Image.Image) -> Pixels:
    """What a decoded photo should be, shape (height, width, 3)."""
    return np.asarray(image.convert("RGB"))[:, :, ::-1]


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The image as a file; HEIF by pillow_heif."""
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned(orientation: int) -> Image.Exif:
    """An EXIF block with an orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def chunk(name: bytes, body: bytes) -> bytes:
    """A PNG chunk with its checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(pixels: NDArray[np.generic], colour: int, *extra: bytes) -> bytes:
    """A PNG with 8 or 16 bits a sample, which Pillow cannot all write; colour as in IHDR."""
    height, width = pixels.shape[:2]
    rows = pixels.astype(pixels.dtype.newbyteorder(">")).reshape(height, -1)
    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    head = struct.pack(">IIBBBBB", width, height, 8 * pixels.dtype.itemsize, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", head), *extra, chunk(b"IDAT", zlib.compress(lines))]
    return PNG_MAGIC + b"".join(parts) + chunk(b"IEND", b"")


def png_bomb(side: int) -> bytes:
    """A valid PNG of side × side black pixels, one bit each: a few KB a hundred megapixels."""
    line = bytes(1 + -(-side // 8))
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(line * 64) for _ in range(side // 64))
    body += packer.compress(line * (side % 64)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return PNG_MAGIC + b"".join([chunk(b"IHDR", head), chunk(b"IDAT", body), chunk(b"IEND", b"")])


def tiff(
    pixels: NDArray[np.generic],
    photometric: int,
    *,
    order: Literal["<", ">"] = "<",
    sample_format: int = 1,
    bits: int | None = None,
    data: bytes | None = None,
) -> bytes:
    """An uncompressed TIFF of any sample type; `bits` and `data` for packed samples."""
    height, width, samples = (*pixels.shape, 1)[:3]
    body = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes() if data is None else data
    depth = bits or 8 * pixels.dtype.itemsize
    depths = struct.pack(f"{order}{samples}H", *[depth] * samples)
    start = 8 + len(depths) + len(depths) % 2
    tags: Iterable[tuple[int, int, int, int]] = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, samples, 8 if samples > 2 else depth),
        (259, 3, 1, 1),
        (262, 3, 1, photometric),
        (273, 4, 1, start),
        (277, 3, 1, samples),
        (278, 4, 1, height),
        (279, 4, 1, len(body)),
        (339, 3, 1, sample_format),
    ]
    entries = b"".join(
        struct.pack(f"{order}HHI", tag, kind, count)
        + struct.pack(f"{order}H2x" if kind == 3 and count == 1 else f"{order}I", value)
        for tag, kind, count, value in tags
    )
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(f"{order}HI", 42, start + len(body))
    directory = struct.pack(f"{order}H", 10) + entries + bytes(4)
    return head + depths.ljust(start - 8, b"\0") + body + directory
