"""Bytes of a file → which kind of photo it is, or why it is none: by its first bytes alone."""

from __future__ import annotations

from fr_cli.errors import PhotoUnreadable

MAX_BYTES = 20 * 2**20
AGAIN = "Take the photo again, or save it as JPEG."

HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1")
#: Sizes of the header that follows the first 14 bytes: BM alone could begin a text.
BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)

#: What people give by mistake: where the mark stands, the mark, what it is, what to do.
STRANGERS = (
    (0, b"GIF8", "a GIF picture", AGAIN),
    (0, b"%PDF", "a PDF document", "Save the photo in it as JPEG."),
    (
        0,
        b"PK\x03\x04",
        "a ZIP archive or an office document",
        "Unpack it, and use the photo in it.",
    ),
    (0, b"\x1f\x8b", "a compressed archive", "Unpack it, and use the photo in it."),
    (0, b"\x00\x00\x00\x0cjP", "a JPEG 2000 picture", "Save it as JPEG."),
    (0, b"\xff\x0a", "a JPEG XL picture", "Save it as JPEG."),
    (4, b"ftypavi", "an AVIF picture", "Save it as JPEG."),
    (4, b"ftyp", "a film", "Save one picture of it as JPEG."),
    (8, b"AVI ", "a film", "Save one picture of it as JPEG."),
)


def recognise(data: bytes) -> str:
    """The format of a file by its first bytes; raises PhotoUnreadable for what is no photo."""
    if not data:
        raise PhotoUnreadable("The file is empty.", hint=AGAIN)
    if len(data) > MAX_BYTES:
        raise PhotoUnreadable(
            f"The file is larger than {MAX_BYTES // 2**20} MiB, the most that is read.",
            hint="Save a smaller copy of it as JPEG.",
        )
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:15] == b"WEBPVP8":
        return "WEBP"
    if data[4:8] == b"ftyp" and data[8:12] in HEIF_BRANDS:
        return "HEIF"
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in BMP_HEADERS:
        return "BMP"
    for at, mark, what, hint in STRANGERS:
        if data[at:].startswith(mark):
            raise PhotoUnreadable(f"The file is {what}, not a photo.", hint=hint)
    raise PhotoUnreadable(f"The file is {_unknown(data[:1024])}, not a photo.", hint=AGAIN)


def _unknown(head: bytes) -> str:
    """What to call a file without a mark that is known."""
    try:
        text = head.decode(errors="strict").lstrip("\ufeff \r\n\t").lower()
    except UnicodeDecodeError as trouble:
        if trouble.start < len(head) - 3:  # else only the last character was cut
            return "of an unknown kind"
        text = head[: trouble.start].decode().lower()
    if any(ord(character) < 32 and character not in "\t\r\n\f" for character in text):
        return "of an unknown kind"
    return "an SVG drawing" if "<svg" in text else "text"
