"""Content codings of request bodies, undone within a bound. It does not know what the bytes mean.

The bound is on the output, and it holds while inflating: a small body that would become a huge one is refused when no
more than the bound and one chunk of it exist.
"""

import zlib
from collections.abc import Callable, Mapping
from typing import Final

import zstandard

from homeostat_server.exceptions import InvalidRequest, TooLarge, UnsupportedMedia

_GZIP_WINDOW_BITS: Final = 31  # zlib's notation: 15 bits of window, plus 16 for a gzip header
_ZLIB_WINDOW_BITS: Final = 15
_RAW_WINDOW_BITS: Final = -15

# What decoders have to support at least, and may stop at (RFC 8878, section 3.1.1.1.2): a frame that asks for more
# would make us allocate its window before the first byte.
_ZSTD_WINDOW_BYTES_MAX: Final = 8 * 1024 * 1024

_ZSTD_CHUNK_BYTES: Final = 256 * 1024  # two of zstd's largest blocks; how far the output may run past its bound

# A run of one byte is a frame of a dozen bytes. Swallowed by a frame that was cut short they cannot look like the run.
_ZSTD_END: Final = b"\0" * 4096
_ZSTD_END_FRAME: Final = zstandard.ZstdCompressor().compress(_ZSTD_END)


def decompress(body: bytes, *, encoding: str, size_bytes_max: int) -> bytes:
    """Return the body without its content coding.

    Args:
        body: what was received.
        encoding: the value of `Content-Encoding`, any case; empty means identity.
        size_bytes_max: bound of the answer.

    Raises:
        TooLarge: the answer would be larger than the bound.
        InvalidRequest: the body is not in that coding, or it is cut short.
        UnsupportedMedia: the coding is not one of identity, gzip, deflate, zstd.
    """
    coding = encoding.strip().lower()
    inflate = _CODINGS.get(coding)
    if inflate is None:
        raise UnsupportedMedia(
            "undo the content coding of the body",
            value=encoding,
            hint=f"One of {', '.join(sorted(filter(None, _CODINGS)))} is understood, one at a time.",
        )
    try:
        plain = inflate(body, size_bytes_max + 1)
    except (zlib.error, zstandard.ZstdError) as error:
        raise InvalidRequest(f"undo the {coding} coding of the body", value=str(error)) from error
    if len(plain) > size_bytes_max:
        raise too_large(size_bytes_max)
    return plain


def too_large(size_bytes_max: int) -> TooLarge:
    """Return the error for a body over the bound."""
    return TooLarge(
        "take the body",
        hint=f"A body may have {size_bytes_max} bytes after decompression (setting ingest_body_bytes_max); "
        "send smaller batches.",
    )


def _identity(body: bytes, _size_bytes_max: int) -> bytes:
    return body


def _gunzip(body: bytes, size_bytes_max: int) -> bytes:
    """Inflate one gzip member after another (RFC 1952 allows several)."""
    plain = bytearray()
    rest = body
    # Each round takes at least one member's header from `rest`, so the rounds are bounded by the body.
    while rest and len(plain) < size_bytes_max:
        inflator = zlib.decompressobj(_GZIP_WINDOW_BITS)
        plain += inflator.decompress(rest, size_bytes_max - len(plain))
        if len(plain) < size_bytes_max:
            _demand_end(complete=inflator.eof)
        rest = inflator.unused_data
    return bytes(plain)


def _inflate(body: bytes, size_bytes_max: int) -> bytes:
    """Inflate HTTP's "deflate", which is zlib's format (RFC 9110); some senders leave zlib's header out."""
    try:
        return _inflate_window(body, size_bytes_max, window_bits=_ZLIB_WINDOW_BITS)
    except zlib.error:
        return _inflate_window(body, size_bytes_max, window_bits=_RAW_WINDOW_BITS)


def _inflate_window(body: bytes, size_bytes_max: int, *, window_bits: int) -> bytes:
    if not body:
        return b""
    inflator = zlib.decompressobj(window_bits)
    plain = inflator.decompress(body, size_bytes_max)
    if len(plain) < size_bytes_max:
        _demand_end(complete=inflator.eof and not inflator.unused_data)
    return plain


def _demand_end(*, complete: bool) -> None:
    if not complete:
        raise zlib.error("the compressed data does not end where the body ends")


def _unzstd(body: bytes, size_bytes_max: int) -> bytes:
    """Inflate one zstd frame after another.

    The reader does not say whether the last frame was cut short. So a frame of our own follows the body: it arrives
    only when everything before it was whole.
    """
    if not body:
        return b""
    plain = bytearray()
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES_MAX)
    with decompressor.stream_reader(body + _ZSTD_END_FRAME, read_across_frames=True) as reader:
        while len(plain) < size_bytes_max + len(_ZSTD_END) and (chunk := reader.read(_ZSTD_CHUNK_BYTES)):
            plain += chunk
    if plain.endswith(_ZSTD_END):
        del plain[-len(_ZSTD_END) :]
    elif len(plain) < size_bytes_max + len(_ZSTD_END):
        _demand_end(complete=False)
    return bytes(plain)


_CODINGS: Final[Mapping[str, Callable[[bytes, int], bytes]]] = {
    "": _identity,
    "deflate": _inflate,
    "gzip": _gunzip,
    "identity": _identity,
    "zstd": _unzstd,
}
