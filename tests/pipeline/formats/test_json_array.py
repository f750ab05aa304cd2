import gzip
import io
import json
import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.formats.inflate import Piece
from pipeline.formats.json_array import read_json_objects, records_of_array
from pipeline.formats.json_lines import JsonFault, JsonRecord
from tests.tables import results

SIX = [{"id": str(n), "v": "x" * 5} for n in range(6)]
TEXTS = st.text(st.sampled_from('ab"\\{}[],: \n\té😀'), max_size=30)
VALUES = st.recursive(TEXTS | st.integers() | st.none(), lambda inner: st.lists(inner, max_size=3), max_leaves=6)
ELEMENTS = st.lists(st.dictionaries(TEXTS, VALUES, max_size=3), max_size=5)


def read(data: bytes, limit: int = 1 << 20) -> list[JsonRecord | JsonFault]:
    return list(read_json_objects(io.BytesIO(data), limit))


def values(data: bytes, limit: int = 1 << 20) -> list:
    return [r.value if isinstance(r, JsonRecord) else r.reason for r in read(data, limit)]


@given(ELEMENTS, st.sampled_from([None, 0, 2]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_list_gives_its_elements_with_their_places(elements, indent, ascii_only):
    data = json.dumps(elements, indent=indent, ensure_ascii=ascii_only).encode()
    found = read(data)
    assert [record.value for record in found] == elements
    assert [json.loads(data[record.offset : record.offset + record.size]) for record in found] == elements


@given(ELEMENTS, st.integers(1, 9))
@settings(max_examples=100, deadline=None)
def test_wherever_the_bytes_are_parted(elements, size):
    data = json.dumps(elements).encode()
    pieces = (Piece(data[start : start + size]) for start in range(0, len(data), size))
    assert [record.value for record in records_of_array(pieces, 1 << 20)] == elements


def test_lists_and_lines_are_told_by_their_first_character():
    lines = b"".join(json.dumps(one).encode() + b"\n" for one in SIX)
    for data in (lines, json.dumps(SIX).encode(), b"\xef\xbb\xbf \r\n" + json.dumps(SIX).encode()):
        assert values(data) == values(gzip.compress(data)) == SIX
    assert values(b"") == ["empty_file"]
    assert values(b" \n") == values(b"[]") == values(b"[ ] \n []") == []
    (fault,) = read(b"7z\xbc\xaf\x27\x1c and more")
    assert fault == JsonFault("no_json", "this is no JSON, but a 7z archive: unpack it first (7z x)", 0)


def with_broken(element: str) -> list:
    """What a list of six gives that has something else in its middle: its own elements by their ids."""
    texts = [json.dumps(one) for one in SIX]
    found = values(f"[{', '.join([*texts[:3], element, *texts[3:]])}]".encode(), 1000)
    return [one if isinstance(one, str) else one["id"] for one in found]


test_a_broken_element_costs_itself = results(
    with_broken,
    {
        element: ["0", "1", "2", *found, "3", "4", "5"]
        for element, found in {
            '{"id": "b", "v": "x': ["broken_json"],
            '{"id": "b", "v": "x}': ["broken_json"],
            '{"id": "b", "v": x"}': ["broken_json"],
            '{"id": "b", "v": ["x"}': ["broken_json"],
            '{"id": "b", "v": "\\q"}': ["broken_json"],
            '{"id": "b" "v": "a"}': ["broken_json"],
            '{"id": "b", "v": ' + "[" * 300 + "]" * 299 + "}": ["broken_json"],
            "[1, 2": ["broken_json"],
            "7": ["not_an_object"],
            '"a word"': ["not_an_object"],
            "null": ["not_an_object"],
            "": [],
            '{"id": "b"} {"id": "c"}': ["b", "c"],  # no comma between them
            '{"id": "b"}}': ["b", "trailing_bytes"],
            '{"id": "b"}]': ["b", "trailing_bytes"],
            '{"id": "b", "v": "' + "y" * 2000 + '"}': ["record_too_large"],
            '{"id": "b", "v": "' + "y" * 2000: ["record_too_large"],
            '{"id": "b", "v": "\\q"}, 5, "x"': ["broken_json", "not_an_object", "not_an_object"],
            '{"id": "b", "v": "a, b, "c", d", 5}': ["broken_json"],
        }.items()
    },
)


def test_a_list_that_is_cut_gives_what_is_whole():
    data = json.dumps(SIX).encode()
    assert values(data[:-1]) == [*SIX, "truncated_json"]
    assert values(data[:-8]) == [*SIX[:5], "truncated_json"]
    assert values(b"[") == ["truncated_json"]


def test_damaged_gzip_costs_the_element_that_it_cuts():
    data = json.dumps([{"id": str(n), "v": f"{n * 7919} words of text"} for n in range(4000)]).encode()
    half = len(data) // 2
    whole = gzip.compress(data)
    found = values(whole[: len(whole) // 2])
    assert found[-1] == "truncated_gzip"
    assert [one["id"] for one in found[:-1]] == [str(n) for n in range(len(found) - 1)]
    assert len(found) > 1000
    first, second = gzip.compress(data[:half]), gzip.compress(data[half:])
    broken = first[: len(first) // 2] + b"\0\0damage\0\0" + first[len(first) // 2 + 10 :]
    found = values(broken + second)
    assert "corrupt_gzip" in found
    sound = [one["id"] for one in found if isinstance(one, dict)]
    assert len(sound) == len(set(sound)) > 2000
    assert sound[-1] == "3999"


def test_an_element_over_the_limit_is_never_held():
    data = gzip.compress(json.dumps([SIX[0], {"id": "long", "v": "x" * 30_000_000}, SIX[1]]).encode(), 1)
    tracemalloc.start()
    found = read(data, 1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [getattr(one, "reason", None) for one in found] == [None, "record_too_large", None]
    assert found[1].message == "the element has 30,000,024 bytes, over 1,048,576"
    assert peak < 30_000_000
