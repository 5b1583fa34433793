"""Photos of every kind are decoded or refused in words, and the decoder outlives them all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from fr_cli.errors import ConfigurationError, PhotoUnreadable
from fr_cli.face import decoder, photo
from fr_cli.face.formats import MAX_BYTES
from fr_cli.face.photo import Decoder, Photo, decode_photo

from .pictures import bgr, chunk, encoded, png, png_bomb, scene, tiff, turned

GREY = np.asarray(scene().convert("L"))
RGB = np.asarray(scene())
SLOW = png(np.zeros((7000, 7000, 3), np.uint8), 2)  # takes half a second
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("JPEG", {"quality": 95, "subsampling": 0}),
    ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}),
    ("PNG", {}),
    ("WEBP", {"lossless": True}),
    ("WEBP", {"quality": 95}),
    ("HEIF", {"quality": 95, "chroma": 444}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ("BMP", {}),
]
NAMES = [f"{kind} {' '.join(map(str, options.values()))}".strip() for kind, options in KINDS]


@pytest.fixture(scope="module")
def shared() -> Iterator[Decoder]:
    with Decoder() as one:
        yield one


def refusal(decoder_: Decoder, data: bytes) -> PhotoUnreadable:
    """The refusal of a file, which always has two sentences and exit code 20."""
    with pytest.raises(PhotoUnreadable) as caught:
        decoder_.decode(data)
    assert caught.value.code == 20
    assert caught.value.message.endswith(".")
    assert caught.value.hint.endswith(".")
    return caught.value


def apart(photo_: Photo, expected: np.ndarray[Any, Any]) -> float:
    """The mean difference of two pictures in grey levels."""
    assert photo_.pixels.dtype == np.uint8
    assert photo_.pixels.shape == expected.shape
    assert photo_.pixels.flags.c_contiguous
    return float(np.abs(photo_.pixels.astype(float) - expected).mean())


def child(one: Decoder) -> int:
    assert one._child is not None
    return one._child.pid


def signal_worker(pid: int, number: int) -> threading.Thread:
    """Send a signal to the next worker of a decoding process."""

    def send() -> None:
        while not (found := workers(pid)):
            time.sleep(0.001)
        os.kill(found[0], number)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


def workers(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def memory(pid: int) -> bytes:
    """All that a process could write to."""
    held = b""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, *_ = line.split()
            if rights.startswith("rw"):
                first, end = (int(word, 16) for word in span.split("-"))
                file.seek(first)
                with suppress(OSError):  # it was given back meanwhile
                    held += file.read(end - first)
    return held


class TestKinds:
    @pytest.mark.parametrize(("kind", "options"), KINDS, ids=NAMES)
    def test_pixels_are_bgr(self, shared: Decoder, kind: str, options: dict[str, Any]) -> None:
        found = shared.decode(encoded(scene(), kind, **options))
        assert found.format == kind
        lossy = "quality" in options
        assert apart(found, bgr(scene())) <= (8 if lossy else 0)

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize(("kind", "options"), KINDS[:-1], ids=NAMES[:-1])
    def test_exif_orientation_is_applied_once(
        self, shared: Decoder, kind: str, options: dict[str, Any], orientation: int
    ) -> None:
        exif: Any = turned(orientation)
        data = encoded(scene(), kind, exif=exif.tobytes() if kind == "HEIF" else exif, **options)
        lying = scene()
        lying.getexif()[0x0112] = orientation
        standing = ImageOps.exif_transpose(lying)
        assert apart(shared.decode(data), bgr(standing)) <= (8 if "quality" in options else 0)

    def test_a_broken_exif_block_leaves_the_photo_as_it_lies(self, shared: Decoder) -> None:
        data = encoded(scene(), "JPEG", quality=95, exif=b"Exif\0\0II*\0\xff\xff\xff\x7f nonsense")
        assert apart(shared.decode(data), bgr(scene())) <= 8

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "WEBP"])
    def test_grey(self, shared: Decoder, kind: str) -> None:
        grey = scene().convert("L")
        assert apart(shared.decode(encoded(grey, kind, quality=95)), bgr(grey)) <= 2

    @pytest.mark.parametrize("options", [{}, {"compression": "group4"}])
    def test_one_bit(self, shared: Decoder, options: dict[str, Any]) -> None:
        bits = scene().convert("1")
        assert apart(shared.decode(encoded(bits, "TIFF", **options)), bgr(bits)) == 0
        assert apart(shared.decode(encoded(bits, "PNG")), bgr(bits)) == 0

    @pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
    def test_palette(self, shared: Decoder, kind: str) -> None:
        few = scene().quantize(16)
        assert apart(shared.decode(encoded(few, kind)), bgr(few)) == 0

    @pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
    def test_cmyk_is_not_inverted(self, shared: Decoder, kind: str) -> None:
        inks = scene().convert("CMYK")
        data = encoded(inks, kind, quality=95)
        assert apart(shared.decode(data), bgr(scene())) <= 3
        assert kind == "TIFF" or b"Adobe" in data

    def test_the_first_picture_of_a_phones_mpo(self, shared: Decoder) -> None:
        preview = scene(24, 16).rotate(180)
        data = encoded(scene(), "MPO", save_all=True, append_images=[preview], quality=95)
        found = shared.decode(data)
        assert found.format == "JPEG"
        assert apart(found, bgr(scene())) <= 8

    def test_the_primary_picture_of_a_heif(self, shared: Decoder) -> None:
        others = [scene().rotate(180)]
        data = encoded(scene(), "HEIF", quality=95, save_all=True, append_images=others)
        assert apart(shared.decode(data), bgr(scene())) <= 8

    def test_the_profile_is_ignored(self, shared: Decoder) -> None:
        data = encoded(scene(), "PNG", icc_profile=b"\0" * 200)
        assert apart(shared.decode(data), bgr(scene())) == 0


class TestTransparency:
    """Over white, as a portrait that was cut out belongs on a plain light background."""

    def over_white(self, alpha: np.ndarray[Any, Any], rgb: np.ndarray[Any, Any]) -> Any:
        share = alpha[..., None].astype(float) / 255
        return (rgb * share + 255 * (1 - share))[:, :, ::-1]

    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
    def test_rgba(self, shared: Decoder, kind: str) -> None:
        clear = scene().convert("RGBA")
        clear.putalpha(scene().convert("L"))
        options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
        assert apart(shared.decode(encoded(clear, kind, **options)), self.over_white(GREY, RGB)) < 1

    @pytest.mark.parametrize("kind", ["PNG", "TIFF"])
    def test_grey_with_alpha(self, shared: Decoder, kind: str) -> None:
        grey = scene().convert("L")
        both = Image.merge("LA", (grey, ImageOps.mirror(grey)))
        expected = self.over_white(np.asarray(ImageOps.mirror(grey)), np.dstack([GREY] * 3))
        assert apart(shared.decode(encoded(both, kind)), expected) < 1

    @pytest.mark.parametrize("transparency", [3, bytes(range(0, 256, 16))])
    def test_palette(self, shared: Decoder, transparency: int | bytes) -> None:
        few = scene().quantize(16)
        index = np.asarray(few)
        table = np.full(16, 255)
        if isinstance(transparency, int):
            table[transparency] = 0
        else:
            table[:] = list(transparency)
        expected = self.over_white(table[index], np.asarray(few.convert("RGB")))
        found = shared.decode(encoded(few, "PNG", transparency=transparency))
        assert apart(found, expected) < 1

    @pytest.mark.parametrize("mode", ["RGB", "L", "1"])
    def test_one_transparent_colour(self, shared: Decoder, mode: str) -> None:
        image = scene().convert(mode)
        key: Any = image.getpixel((0, 0))
        found = shared.decode(encoded(image, "PNG", transparency=key))
        assert (found.pixels[0, 0] == 255).all()
        assert (found.pixels[-1, -1] == bgr(image)[-1, -1]).all()


class TestDepth:
    """Sixteen bits are scaled, not clipped."""

    deep_grey = GREY.astype(np.uint16) * 257
    deep_rgb = RGB.astype(np.uint16) * 257
    grey = bgr(scene().convert("L"))

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_grey_tiff(self, shared: Decoder, order: Literal["<", ">"]) -> None:
        assert apart(shared.decode(tiff(self.deep_grey, 1, order=order)), self.grey) == 0

    def test_grey_tiff_compressed(self, shared: Decoder) -> None:
        data = encoded(Image.fromarray(self.deep_grey), "TIFF", compression="tiff_lzw")
        assert apart(shared.decode(data), self.grey) == 0

    def test_grey_tiff_where_white_is_zero(self, shared: Decoder) -> None:
        assert apart(shared.decode(tiff(65535 - self.deep_grey, 0)), self.grey) == 0

    def test_twelve_bits(self, shared: Decoder) -> None:
        packed = bytearray()
        for first, second in (GREY.astype(int) * 4095 // 255).reshape(-1, 2):
            packed += bytes([first >> 4, (first & 15) << 4 | second >> 8, second & 255])
        assert apart(shared.decode(tiff(GREY, 1, bits=12, data=bytes(packed))), self.grey) <= 1

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_colour_tiff(self, shared: Decoder, order: Literal["<", ">"]) -> None:
        assert apart(shared.decode(tiff(self.deep_rgb, 2, order=order)), bgr(scene())) == 0

    def test_png(self, shared: Decoder) -> None:
        assert apart(shared.decode(png(self.deep_grey, 0)), self.grey) == 0
        assert apart(shared.decode(png(self.deep_rgb, 2)), bgr(scene())) == 0
        opaque = np.full_like(self.deep_grey, 65535)
        both = np.dstack([self.deep_grey, opaque])
        assert apart(shared.decode(png(both, 4)), self.grey) == 0
        assert apart(shared.decode(png(np.dstack([self.deep_rgb, opaque]), 6)), bgr(scene())) == 0

    @pytest.mark.parametrize(
        "data",
        [
            tiff(GREY.astype(np.float32), 1, sample_format=3),
            tiff(GREY.astype(np.uint32), 1),
            tiff(GREY.astype(np.int16), 1, sample_format=2),
            encoded(Image.new("LAB", (48, 32)), "TIFF"),
        ],
        ids=["float", "32 bits", "signed", "lab"],
    )
    def test_measured_values_are_refused(self, shared: Decoder, data: bytes) -> None:
        assert "measured values" in refusal(shared, data).message


class TestRefused:
    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
    def test_several_pictures(self, shared: Decoder, kind: str) -> None:
        more = [scene().rotate(180), scene().rotate(90)]
        wrong = refusal(shared, encoded(scene(), kind, save_all=True, append_images=more))
        assert wrong.message == f"The {kind} file holds 3 pictures."
        assert wrong.hint == "Save the one to use as a single photo."

    @pytest.mark.parametrize(
        ("data", "words"),
        [
            (b"", "is empty"),
            (encoded(scene(), "GIF"), "a GIF picture"),
            (encoded(scene(), "PDF"), "a PDF document"),
            (encoded(scene(), "JPEG2000"), "a JPEG 2000 picture"),
            (b"\0\0\0\x20ftypavif" + bytes(60), "an AVIF picture"),
            (b"<?xml version='1.0'?>\n<svg xmlns='urn:x'/>", "an SVG drawing"),
            (b"PK\x03\x04" + bytes(60), "a ZIP archive"),
            (b"\x1f\x8b" + bytes(60), "a compressed archive"),
            (b"\0\0\0\x18ftypmp42" + bytes(60), "a film"),
            (b"RIFF\0\0\0\0AVI LIST", "a film"),
            (b"subject_id,image\n1,a.jpg\n", "text"),
            ("\ufeffé".encode() * 700, "text"),
            (b"BMW sells cars, and this is text", "text"),
            (bytes(100), "of an unknown kind"),
            (b"\x80\x81" * 50, "of an unknown kind"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_what_is_no_photo(self, data: bytes, words: str) -> None:
        idle = Decoder()
        assert words in refusal(idle, data).message
        assert idle._child is None  # told apart without starting the process

    def test_a_file_above_the_limit(self) -> None:
        assert "20 MiB" in refusal(Decoder(), b"\xff\xd8\xff" + bytes(MAX_BYTES)).message

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF", "TIFF", "BMP"])
    def test_a_photo_too_small_for_a_face(self, shared: Decoder, kind: str) -> None:
        assert "15 by 40 pixels" in refusal(shared, encoded(scene(15, 40), kind)).message
        assert shared.decode(encoded(scene(16, 16), kind)).pixels.shape == (16, 16, 3)

    @pytest.mark.parametrize(("kind", "options"), KINDS, ids=NAMES)
    def test_every_cut(self, shared: Decoder, kind: str, options: dict[str, Any]) -> None:
        data = encoded(scene(64, 64), kind, **options)
        ends = {*range(1, len(data), max(1, len(data) // 60)), *range(len(data) - 20, len(data))}
        for end in sorted(ends):
            refusal(shared, data[:end])

    def test_a_png_with_a_part_missing_or_wrong(self, shared: Decoder) -> None:
        data = encoded(scene(), "PNG")
        assert data.count(b"IDAT") == 1
        start = data.index(b"IDAT") - 4
        length = int.from_bytes(data[start : start + 4], "big")
        end = start + 12 + length
        refusal(shared, data[:start] + data[end:])
        refusal(shared, data[: -len(chunk(b"IEND", b""))])
        checksum = bytearray(data)
        checksum[end - 1] ^= 1
        refusal(shared, bytes(checksum))

    def test_no_word_of_the_file_is_repeated(self, shared: Decoder) -> None:
        secret = b"Jane Roe 1990-01-01"
        for data in (b"\xff\xd8\xff\xe1" + secret, secret, b"II*\0" + secret, b"%PDF" + secret):
            wrong = refusal(shared, data)
            assert "Jane" not in wrong.message + wrong.hint


class TestLimits:
    def test_a_bomb_is_refused_by_its_header(self, shared: Decoder) -> None:
        bomb = png_bomb(30_000)
        assert len(bomb) < 200_000
        start = time.monotonic()
        assert "30000 by 30000 pixels" in refusal(shared, bomb).message
        assert time.monotonic() - start < 1

    def test_a_bomb_costs_no_memory(self) -> None:
        """In a process of its own: the peak of all children of this one may be another's."""
        script = (
            "import resource, sys\n"
            "from fr_cli.errors import PhotoUnreadable\n"
            "from fr_cli.face.photo import decode_photo\n"
            "try: decode_photo(sys.stdin.buffer.read())\n"
            "except PhotoUnreadable: pass\n"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], input=png_bomb(30_000), capture_output=True, check=True
        )
        assert int(done.stdout) < 100_000  # KB

    def test_the_largest_photo_that_is_read(self, shared: Decoder) -> None:
        line = np.linspace(0, 255, 8000).astype(np.uint8)
        image = Image.fromarray(np.repeat(line[None], 6250, axis=0))
        data = encoded(image, "JPEG", exif=turned(6))
        assert shared.decode(data).pixels.shape == (8000, 6250, 3)

    def test_a_worker_has_no_means(self, tmp_path: Path) -> None:
        script = (
            "import resource, sys\n"
            "from fr_cli.face.decoder import confine\n"
            "confine('PNG')\n"
            "for limit in ('AS', 'CPU', 'FSIZE', 'CORE', 'NPROC'):\n"
            "    print(limit, resource.getrlimit(getattr(resource, 'RLIMIT_' + limit))[0])\n"
            "try: bytearray(2**31)\n"
            "except MemoryError: print('memory')\n"
            "try:\n"
            "    with open(sys.argv[1], 'wb', buffering=0) as file: file.write(b'x')\n"
            "except OSError: print('file')\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "file")],
            capture_output=True,
            check=True,
            text=True,
        )
        assert done.stdout.split() == [
            *("AS", str(2**30), "CPU", "10", "FSIZE", "0", "CORE", "0", "NPROC", "0"),
            *("memory", "file"),
        ]

    def test_the_clock_ends_a_worker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(photo, "SECONDS", 1.0)
        with Decoder() as one:
            pid = child(one)
            sender = signal_worker(pid, signal.SIGSTOP)
            assert "too long" in refusal(one, SLOW).message
            sender.join()
            assert one.decode(encoded(scene(), "BMP")).format == "BMP"
            assert child(one) == pid

    def test_the_processor_time_ends_a_worker(self) -> None:
        with Decoder() as one:
            sender = signal_worker(child(one), signal.SIGXCPU)  # as the limit of 10 s does
            assert "too long" in refusal(one, SLOW).message
            sender.join()


class TestLife:
    @pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
    def test_it_outlives_a_killed_worker(self, number: int) -> None:
        with Decoder() as one:
            pid = child(one)
            sender = signal_worker(pid, number)
            assert "broke its decoder" in refusal(one, SLOW).message
            sender.join()
            assert one.decode(encoded(scene(), "PNG")).format == "PNG"
            assert child(one) == pid

    def test_a_new_process_replaces_a_dead_one(self) -> None:
        with Decoder() as one:
            first = child(one)
            os.kill(first, signal.SIGKILL)
            os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
            assert one.decode(encoded(scene(), "PNG")).format == "PNG"
            assert child(one) != first

    def test_a_stopped_process_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(photo, "GRACE", -19.7)
        with Decoder() as one:
            one.decode(encoded(scene(), "PNG"))
            os.kill(child(one), signal.SIGSTOP)
            assert "too long" in refusal(one, encoded(scene(), "PNG")).message
            monkeypatch.setattr(photo, "GRACE", 5.0)
            assert one.decode(encoded(scene(), "PNG")).format == "PNG"

    def test_an_interrupt_leaves_a_usable_decoder(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        with Decoder() as one:
            with monkeypatch.context() as patch:
                patch.setattr(photo, "_send", interrupted)
                with pytest.raises(KeyboardInterrupt):
                    one.decode(encoded(scene(), "PNG"))
            assert one.decode(encoded(scene(), "BMP")).format == "BMP"

    def test_threads_may_share_it(self, shared: Decoder) -> None:
        sizes = [(17 + step, 40 - step) for step in range(20)]
        found: dict[tuple[int, int], tuple[int, ...]] = {}

        def run(width: int, height: int) -> None:
            found[width, height] = shared.decode(encoded(scene(width, height), "PNG")).pixels.shape

        threads = [threading.Thread(target=run, args=size) for size in sizes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == {(width, height): (height, width, 3) for width, height in sizes}

    def test_nothing_is_left(self) -> None:
        def held() -> tuple[int, list[int]]:
            return len(os.listdir("/proc/self/fd")), workers(os.getpid())

        before = held()
        for _ in range(3):
            assert decode_photo(encoded(scene(), "PNG")).format == "PNG"
            with pytest.raises(PhotoUnreadable):
                decode_photo(b"\xff\xd8\xff")
        assert held() == before

    def test_it_ends_with_its_caller(self) -> None:
        script = (
            "import time\n"
            "from fr_cli.face.photo import Decoder\n"
            "one = Decoder().__enter__()\n"
            "print(one._child.pid, flush=True)\n"
            "time.sleep(60)"
        )
        caller = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        assert caller.stdout is not None
        with caller, caller.stdout:
            pid = int(caller.stdout.readline())
            caller.kill()
        until = time.monotonic() + 5
        while (stat := Path(f"/proc/{pid}/stat")).exists() and time.monotonic() < until:
            if stat.read_text().rsplit(")", 1)[1].split()[0] == "Z":
                break  # ended; to be buried by whoever adopted it
            time.sleep(0.02)
        else:
            assert not stat.exists()

    def test_it_gets_no_environment_and_no_files(self) -> None:
        with Path("/dev/null").open() as ours, Decoder() as one:
            os.set_inheritable(ours.fileno(), True)
            one.decode(encoded(scene(), "PNG"))
            process = Path(f"/proc/{child(one)}")
            until = time.monotonic() + 5
            while len(os.listdir(process / "fd")) > 3 and time.monotonic() < until:
                time.sleep(0.001)  # the last worker is being buried
            tuning = f"GLIBC_TUNABLES={photo.MEMORY_TUNING}\0".encode()
            # The C library cuts the list at its colons; nothing of the account's is beside it.
            environ = (process / "environ").read_bytes()
            assert environ.replace(b"\0", b":") == tuning.replace(b"\0", b":")
            assert {path.name for path in (process / "fd").iterdir()} == {"0", "1", "2"}
            assert os.readlink(process / "cwd") == "/"

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
    def test_the_next_worker_finds_nothing_of_a_photo(self, kind: str) -> None:
        """Workers are copies of the decoding process: what it has, a hostile file could read."""
        mark = b"\x07only in this file\x07"
        exif = Image.Exif()
        exif[0x010E] = mark.decode()
        noise = np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8)
        data = encoded(Image.fromarray(noise), kind, exif=exif)
        assert mark in data
        with Decoder() as one:
            for _ in range(3):
                one.decode(data)
                refusal(one, data[:-60])
            one.decode(encoded(scene(), "BMP"))  # so the worker before it is buried
            held = memory(child(one))
            assert mark not in held
            assert noise[0].tobytes() not in held
            assert noise[0, :, ::-1].tobytes() not in held
            assert b"PngImageFile" in held  # it is that memory

    def test_importing_it_loads_no_library(self) -> None:
        script = "import sys, fr_cli.face.photo; print(*{'numpy', 'PIL', 'cv2'} & {*sys.modules})"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
        assert done.stdout.strip() == b""


class TestWithoutTrust:
    """What the decoding process says is checked: it reads hostile files."""

    def says(self, monkeypatch: pytest.MonkeyPatch, folder: Path, reply: str) -> None:
        script = folder / "says.py"
        script.write_text(
            "import os, struct\n"
            "os.write(1, struct.pack('<BII', 0, 0, 0))\n"
            f"os.read(0, 100)\n{reply}\nos.read(0, 10**6)"
        )
        monkeypatch.setattr(decoder, "__file__", str(script))

    @pytest.mark.parametrize(
        "reply",
        [
            "os.write(1, struct.pack('<BII', 1, 2**32 - 1, 2**32 - 1))",
            "os.write(1, struct.pack('<BII', 1, 0, 5))",
            "os.write(1, struct.pack('<BII', 1, 100, 100) + b'short'); os._exit(0)",
            "os.write(1, b'\\xff' * 9)",
            "os.write(1, bytes(9))",
            "os.write(1, b'\\x02'); os._exit(0)",
            "os._exit(0)",
        ],
    )
    def test_a_wrong_reply(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reply: str
    ) -> None:
        self.says(monkeypatch, tmp_path, reply)
        with Decoder() as one:
            assert "broke its decoder" in refusal(one, encoded(scene(), "PNG")).message

    def test_a_reply_to_the_next_photo_is_not_taken(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        true = decoder.__file__
        forged = "struct.pack('<BII', 2, 0, 0) + struct.pack('<BII', 1, 16, 16) + bytes(768)"
        self.says(monkeypatch, tmp_path, f"os.write(1, {forged})")
        with Decoder() as one:
            refusal(one, encoded(scene(), "PNG"))
            monkeypatch.setattr(decoder, "__file__", true)
            assert apart(one.decode(encoded(scene(), "PNG")), bgr(scene())) == 0

    def test_a_library_that_is_missing(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        self.says(monkeypatch, tmp_path, "os.write(1, struct.pack('<BII', 10, 0, 0))")
        with pytest.raises(ConfigurationError, match="PNG"):
            decode_photo(encoded(scene(), "PNG"))

    def test_a_process_that_does_not_start(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(decoder, "__file__", str(tmp_path / "none.py"))
        with pytest.raises(ConfigurationError, match="does not start"):
            decode_photo(encoded(scene(), "PNG"))
        monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
        with pytest.raises(ConfigurationError, match="cannot be started"):
            decode_photo(encoded(scene(), "PNG"))


class TestFuzz:
    heads = (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x40\0\0\0WEBPVP8X", b"II*\0")
    originals = tuple(encoded(scene(), kind, **options) for kind, options in KINDS)

    def survives(self, one: Decoder, data: bytes) -> None:
        pid = child(one)
        try:
            found = one.decode(data)
        except PhotoUnreadable:
            pass
        else:
            assert found.pixels.ndim == 3
        assert child(one) == pid

    @settings(max_examples=150, deadline=None)
    @given(head=st.sampled_from(heads), body=st.binary(max_size=400))
    def test_random_bytes(self, shared: Decoder, head: bytes, body: bytes) -> None:
        shared.decode(encoded(scene(), "BMP"))
        self.survives(shared, head + body)

    @settings(max_examples=250, deadline=None)
    @given(data=st.data())
    def test_random_changes(self, shared: Decoder, data: st.DataObject) -> None:
        shared.decode(encoded(scene(), "BMP"))
        changed = bytearray(data.draw(st.sampled_from(self.originals)))
        places = st.tuples(st.integers(0, len(changed) - 1), st.integers(0, 255))
        for at, value in data.draw(st.lists(places, min_size=1, max_size=8)):
            changed[at] = value
        self.survives(shared, bytes(changed))
