"""The process that decodes photos: started by photo.py as a script, knows Pillow and nothing of fr.

A photo is hostile until it is decoded. So this small, single-threaded process forks a worker for
each one; the worker takes away its own means (memory, time, files, processes), decodes, and ends.
What breaks is the worker, and this process goes on serving.

Protocol, over stdin and stdout: one REQUEST and the bytes of the file in; one REPLY out, after it,
for DECODED, height × width × 3 bytes of BGR. A reply holds numbers only, and photo.py has the
sentences, so that even a captured worker cannot put words of a file before the operator.
"""

from __future__ import annotations

import gc
import importlib
import io
import itertools
import mmap
import os
import resource
import select
import signal
import struct
import sys
import time
import zlib
from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

REQUEST = struct.Struct("<4sI")  # the format, padded with NUL; how many bytes follow
REPLY = struct.Struct("<BII")  # a verdict and its two numbers

MAX_PIXELS = 50_000_000
MIN_SIDE = 16
MEMORY = 2**30  # bytes of address space of a worker
CPU_SECONDS = 10
#: Bytes of a large page of memory, and how much of one this process keeps for what it still needs.
LARGE_PAGE, KEPT = 2**21, 2**15

#: The class that reads each format, by module. It is called itself: `Image.open` would import
#: five plugins and try them, and would read the preview of a phone's MPO as a second picture.
READERS = {
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "HEIF": ("pillow_heif", "HeifImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
}


class Verdict(IntEnum):
    """What became of a photo; in brackets what the two numbers of the reply are."""

    READY = 0  # not of a photo: the process has started
    DECODED = 1  # (width, height)
    DAMAGED = 2
    TOO_LARGE = 3  # (width, height)
    TOO_SMALL = 4  # (width, height)
    SEVERAL = 5  # (pictures)
    NO_PHOTO = 6  # its samples are measurements, not light as an eye sees it
    MEMORY = 7
    TIME = 8
    CRASHED = 9
    NO_READER = 10  # Pillow or pillow_heif is not installed


class RefusedError(Exception):
    """The photo is refused with this verdict and these numbers."""

    def __init__(self, verdict: Verdict, first: int = 0, second: int = 0) -> None:
        super().__init__(verdict.name)
        self.reply = REPLY.pack(verdict, first, second)


def confine(kind: str) -> None:
    """Take away what a decoder of this format does not need; cannot be undone in the worker."""
    limits = {
        resource.RLIMIT_AS: (MEMORY, MEMORY),
        resource.RLIMIT_CPU: (CPU_SECONDS, CPU_SECONDS + 1),  # the first signal says why
        resource.RLIMIT_FSIZE: (0, 0),
        resource.RLIMIT_CORE: (0, 0),
    }
    if kind != "HEIF":  # its library decodes in a thread, which counts as a process
        limits[resource.RLIMIT_NPROC] = (0, 0)  # not enforced for root
    for limit, values in limits.items():
        resource.setrlimit(limit, values)


def reader(kind: str) -> Any:
    """The class that reads a format; raises RefusedError(NO_READER)."""
    module, name = READERS[kind]
    try:
        found = importlib.import_module(module)
    except ImportError:
        raise RefusedError(Verdict.NO_READER) from None
    if kind == "HEIF":
        found.options.DECODE_THREADS = 1
        found.options.THUMBNAILS = found.options.DEPTH_IMAGES = found.options.AUX_IMAGES = False
    return getattr(found, name)


def decode(kind: str, data: bytes) -> Image.Image:
    """The photo in mode RGB, upright; raises RefusedError, or anything for a bad file."""
    if kind == "PNG":
        check_png(data)
    elif kind == "WEBP":
        check_size(*webp_size(data))  # its reader allocates the canvas before it can be asked
    photo = reader(kind)(io.BytesIO(data))
    check_size(*photo.size)
    # Of a HEIF the primary picture is taken, as every viewer does; the others are no pages.
    if kind != "HEIF" and (pictures := int(getattr(photo, "n_frames", 1))) > 1:
        raise RefusedError(Verdict.SEVERAL, pictures)
    photo.load()
    check_size(*photo.size)  # a HEIF may say another size than it has
    return upright(flat(photo), orientation(photo))


def check_size(width: int, height: int) -> None:
    """Refuse a photo by what its header says, before any pixel is decoded."""
    if width * height > MAX_PIXELS:
        raise RefusedError(Verdict.TOO_LARGE, width, height)
    if min(width, height) < MIN_SIDE:
        raise RefusedError(Verdict.TOO_SMALL, width, height)


def check_png(data: bytes) -> None:
    """Refuse a PNG without its end or with wrong checksums, which Pillow passes over."""
    view, at, seen = memoryview(data), 8, set()
    while b"IEND" not in seen:
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        (checksum,) = struct.unpack_from(">I", data, end)
        # A capital first letter: what the picture itself needs.
        if name[:1].isupper() and zlib.crc32(view[at + 4 : end]) != checksum:
            raise RefusedError(Verdict.DAMAGED)
        seen.add(name)
        at = end + 4
    if b"IDAT" not in seen:
        raise RefusedError(Verdict.DAMAGED)


def webp_size(data: bytes) -> tuple[int, int]:
    """Width and height from the first chunk of a WebP file."""
    chunk = data[12:16]
    if chunk == b"VP8X":
        sides = int.from_bytes(data[24:27], "little"), int.from_bytes(data[27:30], "little")
        return sides[0] + 1, sides[1] + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def flat(photo: Any) -> Image.Image:
    """Any mode → RGB with 8 bits: 16 bits scaled, transparency over white.

    White, because a portrait cut out of its background belongs on a plain light one (ICAO 9303),
    and dark hair on the black that lies under most transparent pixels would lose its outline.
    """
    from PIL import Image

    if photo.mode.startswith("I;16"):
        return eight_bits(photo).convert("RGB")
    if photo.mode in {"F", "I", "LAB", "HSV"}:
        raise RefusedError(Verdict.NO_PHOTO)
    if photo.mode == "La":  # Pillow converts premultiplied grey by this way only
        photo = photo.convert("LA")
    if photo.mode in {"LA", "PA", "RGBA", "RGBa"} or "transparency" in photo.info:
        clear = photo.convert("RGBA")
        white = Image.new("RGB", photo.size, "white")
        white.paste(clear, mask=clear.getchannel("A"))
        return white
    return photo if photo.mode == "RGB" else photo.convert("RGB")  # type: ignore[no-any-return]


def eight_bits(photo: Any) -> Image.Image:
    """A grey photo of up to 16 bits → mode L, scaled by the number of bits it says it has."""
    from PIL import Image

    tags = getattr(photo, "tag_v2", {})  # of a TIFF
    bits = tags.get(258, (16,))[0]
    if bits == 16:
        high = 0 if photo.mode == "I;16B" else 1
        grey = Image.frombytes("L", photo.size, photo.tobytes()[high::2])
    else:
        grey = photo.point(lambda value: value * (255 / (2**bits - 1))).convert("L")
    if tags.get(262) == 0:  # white is zero, which Pillow leaves as it is
        grey = grey.point(lambda value: 255 - value)
    return grey


def orientation(photo: Any) -> int:
    """The EXIF orientation, 1 to 8; 1 when there is none or it cannot be read."""
    try:
        return int(photo.getexif().get(0x0112, 1))
    except Exception:  # viewers show a photo with a broken EXIF block as it lies
        return 1


def upright(image: Image.Image, turned: int) -> Image.Image:
    """Undo an EXIF orientation."""
    from PIL.Image import Transpose

    method = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(turned)
    return image if method is None else image.transpose(method)


def work(kind: str, data: bytes, begun: int) -> None:
    """The worker: decode and reply. Says on `begun` that from now on the stream is its own."""
    image = None
    try:
        confine(kind)
        image = decode(kind, data)
        reply = REPLY.pack(Verdict.DECODED, *image.size)
    except RefusedError as refusal:
        reply = refusal.reply
    except MemoryError:
        reply = REPLY.pack(Verdict.MEMORY, 0, 0)
    except Exception:
        reply = REPLY.pack(Verdict.DAMAGED, 0, 0)
    os.write(begun, b"!")
    send(reply)
    if image is not None:
        write(image)


def write(image: Image.Image) -> None:
    """Write the pixels to stdout, some rows at a time: `tobytes` would hold all of them twice."""
    from PIL import ImageFile

    whole = ImageFile._Tile("raw", (0, 0, *image.size), 0, ("BGR", 0, 1))
    with open(1, "wb", buffering=0, closefd=False) as stdout:
        ImageFile._save(image, stdout, [whole])


def send(data: bytes) -> None:
    """Write all of it to stdout."""
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def receive(view: memoryview) -> bool:
    """Fill the view from stdin; False if that ends before."""
    while view and (count := os.readv(0, [view])):
        view = view[count:]
    return not view


def attend(worker: int, begun: int, seconds: float) -> None:
    """Wait for a worker, and reply for one that cannot; ends this process if nobody is left."""
    until = time.monotonic() + seconds
    replied = late = False
    events = select.poll()
    events.register(begun, select.POLLIN)
    events.register(0, 0)  # reports when the other end is closed
    while True:
        left = None if replied else max(0.0, until - time.monotonic()) * 1000
        ready = {descriptor for descriptor, _ in events.poll(left)}
        late = not ready
        if late or 0 in ready:
            os.kill(worker, signal.SIGKILL)
            break
        if not os.read(begun, 1):  # closed: the worker has ended
            break
        replied = True
    _, status = os.waitpid(worker, 0)
    if 0 in ready or (status and replied):  # nobody to reply to, or half a reply is out
        os._exit(1)
    if status:
        slow = late or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU)
        send(REPLY.pack(Verdict.TIME if slow else Verdict.CRASHED, 0, 0))


def settle() -> bytes:
    """Do once what every further worker would do again; keep what is returned.

    A photo of our own teaches the interpreter the code. What is left of the large page at the end
    of the heap is taken: a worker that wrote there would copy that page in small pieces; now it
    begins with an empty one.
    """
    from PIL import Image

    first = io.BytesIO()
    Image.new("RGB", (64, 64)).save(first, "JPEG")
    for _ in range(10):
        decode("JPEG", first.getvalue())
    gc.freeze()
    probe = bytes(LARGE_PAGE)  # more than was free, so it lies at the end
    left = -(id(probe) + sys.getsizeof(probe) + KEPT) % LARGE_PAGE
    del probe
    return bytes(LARGE_PAGE + left)


def serve(seconds: float) -> None:
    """Serve one photo after another until stdin is closed or the parent is gone."""
    # Pillow imports `threading` and `logging`, which would tidy up in every fork after threads
    # that there are not: a third of its cost.
    os.register_at_fork = lambda **_: None
    from PIL import Image

    reader("JPEG")
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    parent = os.getppid()
    waiting = select.poll()
    waiting.register(0, select.POLLIN)
    gc.freeze()  # a collection in a worker would copy the pages that it shares with this process
    send(REPLY.pack(Verdict.READY, 0, 0))
    head, kept, modules = bytearray(REQUEST.size), [], len(sys.modules)
    for photos in itertools.count():
        while not waiting.poll(2000):
            if os.getppid() != parent:  # it died, and someone else holds our stdin open
                return
        if not receive(memoryview(head)):
            return
        # Not for the first photo: most commands have only that.
        if photos == 1 or len(sys.modules) > modules:
            kept.append(settle())
            modules = len(sys.modules)
        name, size = REQUEST.unpack(head)
        # Pages for this photo alone: the next worker finds nothing of it.
        with mmap.mmap(-1, max(size, 1), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as photo:
            with memoryview(photo)[:size] as view:
                if not receive(view):
                    return
            answer(name.rstrip(b"\0").decode(), photo, size, seconds)


def answer(kind: str, photo: mmap.mmap, size: int, seconds: float) -> None:
    """Have a worker decode the photo, and wait for it."""
    try:
        reader(kind)  # imported before the fork, once for all workers
        if kind == "TIFF" or photo.find(b"Exif\0", 0, 4096) >= 0:
            importlib.import_module("PIL.TiffImagePlugin")  # reads EXIF too
    except RefusedError as refusal:
        send(refusal.reply)
        return
    there, here = os.pipe()
    worker = os.fork()
    if not worker:
        os.close(0)
        try:
            work(kind, photo[:size], here)
        except BaseException:
            os._exit(1)
        os._exit(0)
    os.close(here)
    attend(worker, there, seconds)
    os.close(there)


if __name__ == "__main__":
    sys.path += sys.argv[2:]  # after the standard library: nothing in there can shadow it
    serve(float(sys.argv[1]))
