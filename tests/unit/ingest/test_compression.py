import gzip
import zlib
from collections.abc import Callable

import pytest
import zstandard

from homeostat_server.exceptions import InvalidRequest, TooLarge, UnsupportedMedia
from homeostat_server.ingest.compression import decompress

PLAIN = b"telemetry " * 1_000
LIMIT = 100_000


def raw_deflate(data: bytes) -> bytes:
    """Compress without a header."""
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("encoding", COMPRESS)
def test_each_coding_is_undone(encoding: str) -> None:
    """What was compressed comes back, whatever the case of the coding's name."""
    body = COMPRESS[encoding](PLAIN)
    assert decompress(body, encoding=encoding, size_bytes_max=LIMIT) == PLAIN
    assert decompress(body, encoding=f" {encoding.upper()}", size_bytes_max=LIMIT) == PLAIN


@pytest.mark.parametrize("encoding", ["", "identity"])
def test_identity_changes_nothing(encoding: str) -> None:
    """A body without a coding is the body."""
    assert decompress(PLAIN, encoding=encoding, size_bytes_max=LIMIT) is PLAIN


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "identity"])
def test_nothing_is_nothing_in_every_coding(encoding: str) -> None:
    """An empty body is an empty request, also when a coding is named."""
    assert decompress(b"", encoding=encoding, size_bytes_max=LIMIT) == b""


def test_deflate_without_a_header_is_understood() -> None:
    """Some senders leave zlib's header out."""
    assert decompress(raw_deflate(PLAIN), encoding="deflate", size_bytes_max=LIMIT) == PLAIN


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_several_members_follow_one_another(encoding: str) -> None:
    """Gzip members and zstd frames may be concatenated."""
    body = COMPRESS[encoding](PLAIN) + COMPRESS[encoding](b"more")
    assert decompress(body, encoding=encoding, size_bytes_max=LIMIT) == PLAIN + b"more"


@pytest.mark.parametrize("encoding", COMPRESS)
def test_the_bound_is_inclusive(encoding: str) -> None:
    """A body of exactly the bound passes, one byte more does not."""
    body = COMPRESS[encoding](PLAIN)
    assert decompress(body, encoding=encoding, size_bytes_max=len(PLAIN)) == PLAIN
    with pytest.raises(TooLarge):
        decompress(body, encoding=encoding, size_bytes_max=len(PLAIN) - 1)


def test_the_bound_holds_for_plain_bodies() -> None:
    """Identity is bounded like every coding."""
    with pytest.raises(TooLarge):
        decompress(PLAIN, encoding="identity", size_bytes_max=len(PLAIN) - 1)


@pytest.mark.parametrize("encoding", COMPRESS)
def test_a_bomb_is_refused_early(encoding: str) -> None:
    """A small body that would become 64 MiB is refused by its bound."""
    with pytest.raises(TooLarge):
        decompress(COMPRESS[encoding](bytes(64 << 20)), encoding=encoding, size_bytes_max=LIMIT)


@pytest.mark.parametrize("encoding", COMPRESS)
def test_a_body_cut_short_is_refused(encoding: str) -> None:
    """Every cut is noticed: half a batch must not pass for a whole one."""
    body = COMPRESS[encoding](PLAIN[:50] + bytes(range(256)))
    for end in range(1, len(body)):
        with pytest.raises(InvalidRequest):
            decompress(body[:end], encoding=encoding, size_bytes_max=LIMIT)


@pytest.mark.parametrize("encoding", COMPRESS)
def test_other_data_is_refused(encoding: str) -> None:
    """What is not in the coding, or follows it, is the sender's error."""
    with pytest.raises(InvalidRequest):
        decompress(PLAIN, encoding=encoding, size_bytes_max=LIMIT)
    with pytest.raises(InvalidRequest):
        decompress(COMPRESS[encoding](PLAIN) + b"rest of something", encoding=encoding, size_bytes_max=LIMIT)


def test_a_raw_zstd_block_that_is_cut_short_does_not_swallow_the_end_mark() -> None:
    """A frame that stores its bytes uncompressed and lacks the last of them is noticed too."""
    body = zstandard.ZstdCompressor().compress(bytes(range(256)))
    with pytest.raises(InvalidRequest):
        decompress(body[:-10], encoding="zstd", size_bytes_max=LIMIT)


def test_a_zstd_frame_that_wants_a_huge_window_is_refused() -> None:
    """The window is allocated before the first byte comes out, so it is bounded by itself."""
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(InvalidRequest, match="zstd"):
        decompress(compressor.compress(PLAIN) + compressor.flush(), encoding="zstd", size_bytes_max=LIMIT)


@pytest.mark.parametrize("encoding", ["br", "gzip, zstd", "snappy"])
def test_other_codings_are_not_understood(encoding: str) -> None:
    """What we do not speak is said to be so, with what we do speak."""
    with pytest.raises(UnsupportedMedia, match="deflate, gzip, identity, zstd"):
        decompress(PLAIN, encoding=encoding, size_bytes_max=LIMIT)
