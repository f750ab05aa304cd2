import pytest

from pipeline.inspect.raw import find_raw, input_of, read_before
from pipeline.inspect.search import Query, search
from pipeline.report.corpus import find
from tests.pipeline.report.corpora import Made, make_source


def found_of(tmp_path, source="commoncrawl"):
    make_source(tmp_path, {"a": [Made("text"), Made("damaged", "read", "error_x")]}, source)
    return list(search(find([str(tmp_path)]).sources[0], Query(limit=0)))


def test_a_raw_file_that_is_gone_is_said(tmp_path):
    kept, failed = read_before(found_of(tmp_path), None, None)
    assert kept.text is None
    assert kept.missing == "the raw file a.txt is not where it was; --raw DIR says where it lies now"
    assert failed.missing == "it never became a document: what stands here says why"
    (kept, _) = read_before(found_of(tmp_path), str(tmp_path / "nowhere"), None)
    assert kept.missing.endswith("nor where it was")


def test_a_source_that_nobody_knows_cannot_be_read_again(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    (kept, _) = read_before(found_of(tmp_path, "mine"), str(tmp_path), None)
    assert kept.missing == "records of 'mine' cannot be read again one by one"


def test_a_file_that_is_no_raw_file_any_more_is_said(tmp_path):
    (tmp_path / "a.txt").write_text("no WET file at all")
    (kept, _) = read_before(found_of(tmp_path), str(tmp_path), None)
    assert kept.text is None
    assert "there is no key" in kept.missing or "is not in" in kept.missing


@pytest.mark.parametrize("recorded", ["raw/2019/a.gz", "/old/place/raw/2019/a.gz", "2019/a.gz", "a.gz"])
def test_raw_files_are_found_by_as_much_of_their_path_as_there_is(tmp_path, recorded):
    place = tmp_path / "raw" / "2019" if "2019" in recorded else tmp_path
    place.mkdir(parents=True, exist_ok=True)
    (place / "a.gz").write_bytes(b"")
    where = find_raw(recorded, str(tmp_path if recorded != "2019/a.gz" else tmp_path / "raw"))
    assert where is not None
    assert where.endswith("a.gz")
    assert find_raw("b.gz", str(tmp_path)) is None
    assert find_raw("gs://bucket/a.gz", str(tmp_path)) == "gs://bucket/a.gz"


def test_the_input_that_holds_a_file(tmp_path):
    make_source(tmp_path, {"a": [Made("text")]})
    (corpus,) = find([str(tmp_path)]).sources
    corpus.manifest["inputs"] += [{"path": "repos", "bytes": 1}, {"path": "repos/one", "bytes": 1}]
    assert input_of(corpus, "a.txt") == "a.txt"
    assert input_of(corpus, "repos/one/src/x.py") == "repos/one"
    assert input_of(corpus, "elsewhere/x.py") == "elsewhere/x.py"
