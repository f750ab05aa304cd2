import gzip
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.c4.url import is_validation, normalize_c4_url, url_rank
from tests.tables import results

REAL = Path(__file__).parents[3].parent / "shared" / "real" / "c4"


test_the_form_of_a_url = results(
    normalize_c4_url,
    {
        "https://www.a.example/b/": "a.example/b",
        "http://a.example/b//": "a.example/b",
        "http://www2.a.example/B": "www2.a.example/B",
        "https://a.example/b?utm_source=x&q=1": "a.example/b",
        "https://a.example/b?ref=1": "a.example/b",
        "https://a.example/b?reference=1": "a.example/b",
        "https://a.example/b/?feed=rss": "a.example/b",
        "https://a.example/b?q=1&utm_source=x": "a.example/b?q=1&utm_source=x",
        "https://a.example/b?q=1/": "a.example/b?q=1",
        "https://a.example/b#part": "a.example/b#part",
        "HTTP://a.example/": "HTTP://a.example",
        "https://web.example/2020/http://www.a.example/": "web.example/2020/a.example",
        "www.a.example": "www.a.example",
        "": "",
    },
)


@given(st.text(alphabet="htps:/w.a?utm_refd=#", max_size=40))
def test_what_two_schemes_have_in_common(path):
    assert normalize_c4_url(f"https://www.{path}") == normalize_c4_url(f"http://www.{path}")


def test_hashes_are_those_of_the_whole_digest():
    numbers = [n for n in range(5000) if int(hashlib.md5(f"a.example/{n}".encode()).hexdigest(), 16) % 1000 == 0]
    assert [n for n in range(5000) if is_validation(f"a.example/{n}")] == numbers == [1736, 1940, 3604]
    digest = hashlib.md5(b"https://a.example/").hexdigest()
    assert url_rank("https://a.example/") == int(digest[:16], 16)
    assert is_validation("\ud800") in (True, False)


@pytest.mark.skipif(not REAL.exists(), reason="the real samples are not here")
@pytest.mark.parametrize(("split", "count"), [("train", 400), ("validation", 200)])
def test_the_published_split_is_the_one_computed(split, count):
    lines = gzip.decompress((REAL / f"c4-{split}.00000-of-00001.json.gz").read_bytes()).splitlines()
    found = [is_validation(normalize_c4_url(json.loads(line)["url"])) for line in lines]
    assert found == [split == "validation"] * count
