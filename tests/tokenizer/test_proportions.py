import pytest

from tokenizer.errors import TokenizerError
from tokenizer.proportions import Place, load_places, load_shares, normalised


def test_the_paper_s_mixture():
    shares = load_shares("llama1")
    assert list(shares) == ["commoncrawl", "c4", "github", "wikipedia", "books", "arxiv", "stackexchange"]
    assert [round(share, 3) for share in shares.values()] == [0.67, 0.15, 0.045, 0.045, 0.045, 0.025, 0.02]


def test_a_mixture_of_one_s_own(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("sources:\n  books: {share: 3, epochs: 2}\n  code: {share: 1}\nother: key\n")
    assert load_shares(str(path)) == {"books": 0.75, "code": 0.25}


def test_where_sources_lie(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("sources: {a: {share: 1, subsets: [en, de]}, b: {share: 1, folder: books}, c: {share: 1}}")
    assert load_places(str(path)) == {"a": Place("a", ("en", "de")), "b": Place("books"), "c": Place("c")}
    assert load_places("llama1")["c4"] == Place("c4", ("train",))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("folder: 4", r"sources\.a\.folder must be a name, it is 4"),
        (
            "folder: /data/books",
            r"sources\.a\.folder must name a folder in the corpus, such as mine/books, it is '/data",
        ),
        ("folder: ../books", r"sources\.a\.folder must name a folder in the corpus"),
        ("subsets: en", r"sources\.a\.subsets must be a list of names, it is 'en'"),
        ("subsets: [1]", r"sources\.a\.subsets must be a list of names, it is \[1\]"),
    ],
)
def test_a_wrong_place(tmp_path, keys, message):
    path = tmp_path / "wrong.yaml"
    path.write_text(f"sources: {{a: {{share: 1, {keys}}}}}")
    with pytest.raises(TokenizerError, match=message):
        load_places(str(path))


def test_normalised():
    assert normalised({"a": 1, "b": 3}) == {"a": 0.25, "b": 0.75}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sources: {books: {share: 0}}", r"sources\.books\.share must be a number above 0, it is 0"),
        ("sources: {books: {share: .inf}}", r"sources\.books\.share must be a number above 0, it is inf"),
        ("sources: {books: {share: .nan}}", r"sources\.books\.share must be a number above 0, it is nan"),
        ("sources: {books: {share: true}}", r"sources\.books\.share must be a number above 0, it is True"),
        ("sources: {books: 4.5}", r"sources\.books\.share must be a number above 0, it is None"),
        ("sources: {}", "must have the key sources"),
        ("books: 4", "must have the key sources"),
        ("- books", "must be a mapping of keys"),
        ("sources: {", "is not valid YAML"),
        ("sources: {books: {share: 1}, books: {share: 2}}", "the key books stands twice"),
    ],
)
def test_a_wrong_mixture(tmp_path, text, message):
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(TokenizerError, match=message):
        load_shares(str(path))


def test_no_mixture(tmp_path):
    with pytest.raises(TokenizerError, match=r"there is no mixture 'llama9'; built in are .*llama1"):
        load_shares("llama9")
    with pytest.raises(TokenizerError, match="cannot read the mixture"):
        load_shares(str(tmp_path / "none.yaml"))
