"""Image bytes of a scan to arrays and back: colour as jpeg, png or raw, depth as png, zlib or raw uint16."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from jaxtyping import Float32, Int64, UInt8, UInt16
from PIL import Image, UnidentifiedImageError

from vantage.core.errors import ScanError

# What Pillow raises on damaged images: OSError for cut data, SyntaxError for broken PNG chunks, ValueError
# for impossible values, DecompressionBombError for absurd sizes.
_PIL_ERRORS = (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError)


def decode_color(
    data: bytes, compression: str, shape: tuple[int, int] | None, where: str
) -> UInt8[np.ndarray, "h w 3"]:
    """RGB from the bytes of a colour image.

    `compression` is "jpeg", "png" or "raw"; `shape` (height, width) is checked when given, and needed for
    raw. `where` names file and record in a ScanError.
    """
    if compression == "raw":
        if shape is None:
            raise ValueError("raw colour needs its shape")
        return _reshape(data, np.dtype(np.uint8), (*shape, 3), where)
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG", "PNG"]) as image:
            _check_shape((image.height, image.width), shape, where)
            rgb = np.asarray(image.convert("RGB"))
    except _PIL_ERRORS as error:
        raise ScanError(f"unreadable colour image: {error}", where=where, expected=compression) from error
    return rgb


def shrink_color(data: bytes, size: tuple[int, int], shape: tuple[int, int], where: str) -> bytes:
    """The JPEG of a JPEG or PNG of `shape` (height, width) at another size (width, height).

    Its outer edges stay: a pixel coordinate c becomes (c + 0.5) s - 0.5, as in `Pinhole.resized`. A JPEG is
    unpacked at reduced scale.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG", "PNG"]) as image:
            _check_shape((image.height, image.width), shape, where)
            # The last pixels of a JPEG unpacked at half scale may be half outside: the box says how far.
            drafted = image.draft("RGB", size)
            right, bottom = drafted[1][2:] if drafted else image.size
            small = image.convert("RGB").resize(size, Image.Resampling.LANCZOS, (0.0, 0.0, right, bottom))
    except _PIL_ERRORS as error:
        raise ScanError(f"unreadable colour image: {error}", where=where, expected="JPEG or PNG") from error
    return encode_jpeg(np.asarray(small))


def decode_gray(
    data: bytes, compression: str, shape: tuple[int, int], where: str, side: int
) -> Float32[np.ndarray, "h w"]:
    """Grey values (0 to 255) of a colour image, averaged down to at most `side` pixels on its longer side.

    The whole image is read, so damage shows; a jpeg is unpacked at reduced size, several times faster.
    """
    if compression == "raw":
        image = Image.fromarray(decode_color(data, compression, shape, where))
        return _shrunk(image, side)
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG", "PNG"]) as image:
            _check_shape((image.height, image.width), shape, where)
            image.draft("L", (side, side))
            return _shrunk(image, side)
    except _PIL_ERRORS as error:
        raise ScanError(f"unreadable colour image: {error}", where=where, expected=compression) from error


def _shrunk(image: Image.Image, side: int) -> Float32[np.ndarray, "h w"]:
    scale = min(1.0, side / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return np.asarray(image.convert("L").resize(size, Image.Resampling.BOX), dtype=np.float32)


def decode_depth(
    data: bytes, compression: str, shape: tuple[int, int] | None, where: str
) -> UInt16[np.ndarray, "h w"]:
    """Depth in the file's own units.

    `compression` is "png", "zlib_ushort", "raw_ushort" or "occi_ushort" (refused); `shape` (height,
    width) is checked when given, and needed for all but png.
    """
    if compression == "png":
        return _decode_png16(data, shape, where)
    if shape is None:
        raise ValueError(f"{compression} depth needs its shape")
    if compression == "raw_ushort":
        return _reshape(data, np.dtype("<u2"), shape, where)
    if compression == "zlib_ushort":
        return _reshape(_inflate(data, 2 * shape[0] * shape[1], where), np.dtype("<u2"), shape, where)
    raise ScanError(
        f"depth packed as {compression} is not supported",
        where=where,
        expected="zlib_ushort or raw_ushort",
        found=compression,
        hint="Export the scan with ScanNet's own SensReader and use the extracted folder as source.",
    )


def decode_ids(data: bytes, where: str) -> Int64[np.ndarray, "h w"]:
    """The numbers of a PNG of one channel, of 8 or 16 bits; of one with a palette, the palette's indices."""
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.mode not in ("L", "P") and not image.mode.startswith("I"):
                expected, found = "a PNG of one channel of 8 or 16 bits", f"mode {image.mode}"
                raise ScanError("not an image of numbers", where=where, expected=expected, found=found)
            values = np.asarray(image)
    except _PIL_ERRORS as error:
        raise ScanError(f"unreadable image of numbers: {error}", where=where, expected="a PNG") from error
    return values.astype(np.int64)


def encode_depth(depth: UInt16[np.ndarray, "h w"], level: int = 3) -> bytes:
    """Depth as zlib_ushort."""
    return zlib.compress(np.ascontiguousarray(depth, dtype="<u2").tobytes(), level)


def encode_png16(depth: UInt16[np.ndarray, "h w"]) -> bytes:
    """Depth as a 16 bit grey PNG.

    Each row is stored as differences to the pixel before (PNG's filter 1) and packed by ISA-L: as small as
    Pillow's, several times as fast.
    """
    from isal import isal_zlib

    height, width = depth.shape
    pixels = np.ascontiguousarray(depth, dtype=">u2").view(np.uint8)
    rows = np.empty((height, 1 + 2 * width), dtype=np.uint8)
    rows[:, 0] = 1
    rows[:, 1:3] = pixels[:, :2]
    np.subtract(pixels[:, 2:], pixels[:, :-2], out=rows[:, 3:])
    header = struct.pack(">2I5B", width, height, 16, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", isal_zlib.compress(rows.data, 2)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(name, data) for name, data in chunks)


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def encode_jpeg(rgb: UInt8[np.ndarray, "h w 3"], quality: int = 90) -> bytes:
    """Colour as JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue()


def encode_png(rgb: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """Colour as PNG, packed lightly."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def image_size(data: bytes, where: str) -> tuple[int, int]:
    """(height, width) of a jpeg or png from its header."""
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG", "PNG"]) as image:
            return image.height, image.width
    except _PIL_ERRORS as error:
        raise ScanError(f"unreadable image: {error}", where=where, expected="a JPEG or PNG image") from error


def _decode_png16(data: bytes, shape: tuple[int, int] | None, where: str) -> UInt16[np.ndarray, "h w"]:
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if not image.mode.startswith("I"):
                expected, found = "a PNG of one 16 bit channel", f"mode {image.mode}"
                raise ScanError("not a depth image", where=where, expected=expected, found=found)
            _check_shape((image.height, image.width), shape, where)
            values = np.asarray(image)
    except _PIL_ERRORS as error:
        raise ScanError(f"unreadable depth image: {error}", where=where, expected="a 16 bit PNG") from error
    return values.astype(np.uint16)


def _inflate(data: bytes, size: int, where: str) -> bytes:
    # One byte more than needed tells a longer stream without unpacking all of a hostile one.
    unpacker = zlib.decompressobj()
    try:
        pixels = unpacker.decompress(data, size + 1)
    except zlib.error as error:
        raise ScanError(f"damaged depth data: {error}", where=where, expected="a zlib stream") from error
    if len(pixels) == size and not unpacker.eof:
        found = f"{len(data)} bytes without its end"
        raise ScanError("damaged depth data", where=where, expected="a whole zlib stream", found=found)
    return pixels


def _reshape(data: bytes, dtype: np.dtype[np.generic], shape: tuple[int, ...], where: str) -> np.ndarray:
    expected = int(np.prod(shape)) * dtype.itemsize
    if len(data) != expected:
        found = f"{len(data)} bytes" if len(data) <= expected else f"more than {expected} bytes"
        raise ScanError("an image of the wrong size", where=where, expected=f"{expected} bytes", found=found)
    array = np.frombuffer(data, dtype=dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _check_shape(found: tuple[int, int], expected: tuple[int, int] | None, where: str) -> None:
    if expected is not None and found != expected:
        raise ScanError(
            "an image of the wrong size",
            where=where,
            expected=f"{expected[1]}x{expected[0]} pixels",
            found=f"{found[1]}x{found[0]} pixels",
        )
