"""Gzip members: the faster library and zlib give the same pieces, whatever is damaged."""

import gzip
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.formats import inflate
from tests.pipeline.formats.test_warc import A, B, C, damage, members


@given(changes=st.lists(damage, max_size=3))
@settings(max_examples=300, deadline=None)
def test_the_faster_library_gives_the_same_pieces(changes):
    """Members that are small and sound are its own; all others are left to zlib."""
    whole = members([A, B, C, A])
    for what, where, payload in changes:
        at = int(where * len(whole))
        keep = {"cut": len(whole), "overwrite": at + len(payload), "insert": at, "remove": at + len(payload)}[what]
        whole = whole[:at] + (payload if what in ("overwrite", "insert") else b"") + whole[keep:]
    faster, plain = (read_pieces(whole, library) for library in (inflate.isal_zlib, None))
    assert faster == plain


def read_pieces(data, library):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inflate, "isal_zlib", library)
        found, places = b"", []
        for piece in inflate.gzip_pieces(inflate.RawBytes(io.BytesIO(data))):
            if piece.member >= 0 or piece.clean_end or piece.damage:
                places.append((piece.member, len(found), piece.clean_end, piece.damage))
            found += piece.data
    return found, places


def test_small_members_are_inflated_by_the_faster_library():
    raw = inflate.RawBytes(io.BytesIO(members([A, B])))
    assert inflate.isal_zlib is not None
    assert [inflate._small_member(raw), inflate._small_member(raw)] == [A, B]
    named = io.BytesIO()
    with gzip.GzipFile("name", "wb", fileobj=named) as file:
        file.write(A)
    assert inflate._small_member(inflate.RawBytes(io.BytesIO(named.getvalue()))) is None
