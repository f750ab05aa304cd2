"""The source's reader and steps together: what becomes of conversations and pairs, by the recipe."""

import io
import json
from collections import Counter
from pathlib import Path

import pytest

from pipeline.corpus.document import Document, Refused
from pipeline.errors import ModelError, RecipeError
from pipeline.recipe import load_recipe
from pipeline.source import rounds_of
from pipeline.steps import Chain
from pipeline.storage.filesystem import InputFile
from sources.instructions.recipe import InstructionsRecipe
from sources.instructions.source import IdDedup, Instructions, TextDedup
from tokenizer.encode import Encoder

HTML = (
    '<div class="markdown"><p>Use <code>wc</code>:</p>'
    "<pre><span>sh</span><button>Copy code</button><code>wc\n</code></pre></div>"
)


def source(*overrides: str, data_format: str | None = None) -> Instructions:
    settings = ("language.model=null", *overrides)
    return Instructions(load_recipe(InstructionsRecipe, "instructions", settings), data_format)


def chats(*conversations: list[str], first: str = "human", **fields) -> bytes:
    roles = [first, "gpt" if first == "human" else "human"]
    return json.dumps(
        [
            {"id": f"c{n}", "conversations": [{"from": roles[k % 2], "value": v} for k, v in enumerate(said)], **fields}
            for n, said in enumerate(conversations)
        ]
    ).encode()


def run(data: bytes, *overrides: str, path: str = "sharegpt.json"):
    """What is kept, what is not by step and reason, and the read step's counters."""
    made = source(*overrides)
    counters: Counter[str] = Counter()
    chain = Chain([*made._steps(), *made.steps_after_dedup()], made.name)
    for step in chain.steps:
        step.load()
    found = list(chain.run(made.read(io.BytesIO(data), InputFile(path, len(data)), counters)))
    kept = [item for item in found if isinstance(item, Document)]
    gone = [f"{item.step}: {item.reason}" for item in found if not isinstance(item, Document)]
    return kept, gone, +counters


def said(document: Document) -> list[str]:
    return [f"{turn['role'][0]}:{turn['content']}{'!' if turn['train'] else ''}" for turn in document.meta["messages"]]


def test_a_shared_chat_is_clean_and_its_text_is_what_is_said():
    (document,), gone, counters = run(chats(["How many lines?", HTML, "Thanks a lot"]))
    assert said(document) == ["u:How many lines?", "a:Use `wc`:\n\n```sh\nwc\n```!"]
    assert document.text == "How many lines?\n\nUse `wc`:\n\n```sh\nwc\n```"
    assert (document.id, document.offset, document.file) == ("sharegpt/c0", 1, "sharegpt.json")
    assert (document.meta["html"], document.meta["dataset"], document.meta["pieces"]) == (True, "sharegpt", 1)
    assert (gone, counters["turns_cut"]) == ([], 1)
    made = source()
    (raw,) = made.read(io.BytesIO(chats(["How many lines?", HTML, "Thanks a lot"])), InputFile("f", 1), Counter())
    assert raw.text == f"How many lines?\n\n{HTML}"


@pytest.mark.parametrize(
    ("conversation", "overrides", "reason"),
    [
        (["q", "q is a question", "x"], [], None),
        (["one question", ""], [], "turns: empty_answer"),
        ([], [], "turns: no_answer"),
        (["a question about ChatGPT", "an answer"], [], "clean: blocked_word"),
        (["a question about ChatGPT", "an answer"], ["sharegpt.blocked_words=[]"], None),
        (["a question", "Too many requests in 1 hour. Try again later."], [], "clean: blocked_answer"),
        (["short", "one"], [], "clean: too_short"),
        (["a long question", "```\nopen"], [], "turns: cut_text"),
        (["a long question", "```\nopen"], ["turns.cut_text=keep"], None),
        (["list them please", "so:\n1. a\n1. b"], [], "clean: wrong_numbers"),
        (["a number please", "it is 777777777"], ["sharegpt.drop_repeated_digits=true"], "clean: repeated_digits"),
    ],
)
def test_why_conversations_go(conversation, overrides, reason):
    kept, gone, _ = run(chats(conversation), *overrides)
    assert (len(kept), gone) == ((1, []) if reason is None else (0, [reason]))


def test_plugins_and_a_leading_answer():
    assert run(chats(["what is the weather", "it is sunny here"], plugins=["w"]))[1] == ["clean: plugins"]
    assert len(run(chats(["what is the weather", "it is sunny"], plugins=["w"]), "sharegpt.drop_plugins=false")[0]) == 1
    (document,), _, _ = run(chats(["hello there", "a question", "and an answer"], first="gpt"))
    assert said(document) == ["u:a question", "a:and an answer!"]


def test_a_rejected_conversation_can_be_read_as_it_was():
    made = source()
    (document,) = made.read(io.BytesIO(chats(["ask ChatGPT", HTML])), InputFile("f", 1), Counter())
    assert document.text == f"ask ChatGPT\n\n{HTML}"
    assert said(document) == ["u:ask ChatGPT", f"a:{HTML}!"]


def test_html_by_the_recipe():
    plain = chats(["is a < b?", "yes <b>it</b> is, a<b"])
    assert [said(run(plain, f"sharegpt.html={how}")[0][0])[1] for how in ("auto", "always", "never")] == [
        "a:yes <b>it</b> is, a<b!",
        "a:yes **it** is, a!",
        "a:yes <b>it</b> is, a<b!",
    ]
    (document,), _, _ = run(chats(["How many lines?", HTML]), "sharegpt.html=never", "turns.cut_text=keep")
    assert document.meta["messages"][1]["content"] == HTML


def test_long_conversations_are_split_between_rounds():
    rounds = [text for n in range(6) for text in (f"question {n} " + "x" * 88, f"answer {n} " + "y" * 90)]
    kept, _, counters = run(chats(rounds), "split.max_tokens=170", "split.bytes_per_token=3")
    assert [document.id for document in kept] == [f"sharegpt/c0#{n}" for n in range(3)]
    assert [document.meta["piece"] for document in kept] == [0, 1, 2]
    assert [document.meta["tokens"] for document in kept] == [156, 156, 156]
    assert [turn for document in kept for turn in said(document)] == [
        f"{'ua'[n % 2]}:{text}{'!' * (n % 2)}" for n, text in enumerate(rounds)
    ]
    assert all(document.offset == 1 and document.meta["pieces"] == 3 for document in kept)
    assert counters["split_conversations"] == 1
    (whole,), _, _ = run(chats(rounds), "split.max_tokens=null")
    assert whole.text == "\n\n".join(rounds)


def test_a_round_that_is_too_long_by_itself():
    talk = chats(["q " * 300, "a long answer", "short question", "short answer"])
    kept, _, counters = run(talk, "split.max_tokens=60")
    assert ([document.id for document in kept], counters["longer_than_a_piece"]) == (
        ["sharegpt/c0#0", "sharegpt/c0#1"],
        1,
    )
    kept, gone, _ = run(talk, "split.max_tokens=60", "split.longer_round=drop")
    assert ([document.id for document in kept], gone) == (["sharegpt/c0#1"], ["split: too_long"])


def test_a_tokenizer_counts_where_one_is_given(tokenizer_model):
    talk = chats(["one two three four five six"] * 8)
    few = run(talk, "split.max_tokens=60", "split.bytes_per_token=27")[0]
    exact = run(talk, "split.max_tokens=60", f"split.tokenizer={tokenizer_model}")[0]
    assert [document.meta["tokens"] for document in few] == [8 * (1 + 6)]
    words = len(Encoder(str(tokenizer_model)).encode("one two three four five six"))
    assert [document.meta["tokens"] for document in exact] == [4 * (words + 6), 4 * (words + 6)]
    assert words > 6
    made = source(f"split.tokenizer={tokenizer_model}")
    assert set(made.describe()["models"]) == {str(tokenizer_model)}
    with pytest.raises(ModelError, match="cannot be"):
        source("split.tokenizer=README.md").describe()


def test_texts_that_no_file_holds_are_mended_and_counted():
    data = chats(["a\0b", "half \ud800 of a pair"]).replace(b"c0", b"x\\u0000")
    (document,), _, counters = run(data)
    assert document.text == "ab\n\nhalf \ufffd of a pair"
    assert (counters["zero_characters"], counters["lone_surrogates"]) == (1, 1)
    assert document.id.startswith("sharegpt/")
    assert len(document.id) == len("sharegpt/") + 32


def pair(chosen: str, rejected: str, prompt: str = "\n\nHuman: a question") -> bytes:
    return json.dumps({"chosen": prompt + chosen, "rejected": prompt + rejected}).encode()


def test_pairs():
    (document,), _, _ = run(pair("\n\nAssistant: good", "\n\nAssistant: bad"), path="hh/helpful-base/train.jsonl")
    meta = document.meta
    assert (document.text, said(document)) == ("a question\n\ngood\n\nbad", ["u:a question"])
    assert (meta["chosen"], meta["rejected"], meta["margin"]) == ("good", "bad", None)
    assert (meta["part"], meta["split"]) == ("helpful-base", "train")
    assert source().subset(document) == "preferences"
    for chosen, rejected, reason in (
        ("\n\nAssistant: good", "\n\nAssistant:", "empty_answer"),
        ("\n\nAssistant: same", "\n\nAssistant: same ", "same_answers"),
        ("\n\nAssistant: x\n\nAssistant: y", "\n\nAssistant: x\n\nAssistant: z", "prompt_ends_with_answer"),
    ):
        assert run(pair(chosen, rejected))[1] == [f"turns: {reason}"]


def test_untrained_conversations_go_unless_they_are_wanted():
    bad = b'{"human_0": "a", "gpt_bad_1": "b", "fields": "[human_0],gpt_bad_1"}'
    assert run(bad)[1] == ["turns: no_trained_answer"]
    (document,), _, _ = run(bad, "turns.keep_untrained=true")
    assert (said(document), document.meta["bad_answers"]) == (["u:a", "a:b"], 1)
    assert run(bad, "koala.bad_answers=drop")[1] == ["read: bad_answer"]


LANGUAGES = json.dumps(
    [
        {"instruction": "Where does the ferry leave?", "output": "It leaves from the quay behind the church at nine."},
        {"instruction": "Wo fährt die Fähre ab?", "output": "Sie fährt um neun vom Kai hinter der Kirche ab."},
    ]
).encode()
MODEL = "language.model=samples/models/lid.176.ftz"


def test_languages_are_set_kept_and_dropped():
    assert [document.language for document in run(LANGUAGES, MODEL)[0]] == ["en", "de"]
    assert [document.language for document in run(LANGUAGES)[0]] == [None, None]
    assert [d.language for d in run(LANGUAGES, MODEL, "language.keep=[de]")[0]] == ["de"]
    kept, gone, _ = run(LANGUAGES, MODEL, "language.drop=[de]")
    assert ([d.language for d in kept], gone) == (["en"], ["language: language"])
    kept, gone, _ = run(LANGUAGES, MODEL, "language.keep=[de]", "language.threshold=1")  # of the other it is less sure
    assert ([d.language for d in kept], gone) == (["de"], ["language: unknown_language"])
    for override, message in (
        ("language.keep=[xx]", "'xx', which the model"),
        ("language.drop=[xx]", "'xx', which the model"),
    ):
        with pytest.raises(RecipeError, match=message):
            run(LANGUAGES, MODEL, override)


def test_a_language_that_the_record_says_is_taken():
    tree = {"message_tree_id": "t", "prompt": {"message_id": "p", "role": "prompter", "text": "x", "lang": "pt-BR"}}
    tree["prompt"]["replies"] = [{"message_id": "a", "role": "assistant", "text": "y", "lang": "pt-BR"}]
    data = json.dumps(tree).encode()
    assert [document.language for document in run(data, MODEL, "language.keep=[pt]")[0]] == ["pt-BR"]
    assert run(data, MODEL, "language.drop=[pt]")[1] == ["language: language"]


def test_units_are_whole_documents():
    (first, second), _, _ = run(chats(["a question", "an answer here"], ["a question", "an answer here"]))
    texts, ids = TextDedup(), IdDedup()
    assert texts.hashes(first).hashes.tolist() == texts.hashes(second).hashes.tolist()
    assert ids.hashes(first).hashes.tolist() != ids.hashes(second).hashes.tolist()
    (other,), _, _ = run(pair("\n\nAssistant: good", "\n\nAssistant: bad"))
    (swapped,), _, _ = run(pair("\n\nAssistant: bad", "\n\nAssistant: good"))
    assert texts.hashes(other).hashes.tolist() != texts.hashes(swapped).hashes.tolist()
    assert [texts.count(first), ids.count(first)] == [1, 1]


def test_rounds_of_dedup_by_the_recipe():
    def names(*overrides: str) -> list[tuple[str, int]]:
        return [(round_.name, len(round_.steps)) for round_ in rounds_of(source(*overrides))]

    assert names() == [("text_dedup", 3), ("dedup", 0)]
    assert names("dedup.ids=false") == names("dedup.texts=false") == [("dedup", 3)]
    off = source("dedup.ids=false", "dedup.texts=false")
    assert (rounds_of(off), off.dedup, len(off.steps_before_dedup())) == ([], None, 3)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("split.max_tokens=3", "max_tokens must be at least 16"),
        ("oasst.best=0", "best must be at least 1"),
        ("oasst.most_answers=1", "most_answers must be at least 2"),
        ("language.keep=[en]", "both name 'en'"),
        ("sharegpt.blocked_words=[OpenAI]", "must be in small letters"),
        ("turns.cut_text=cut", "turns.cut_text is 'cut'; allowed: reject, keep"),
    ],
)
def test_wrong_values_are_refused(override, message):
    more = ["language.drop=[en]"] if "both" in message else []
    with pytest.raises(RecipeError, match=message.replace("[", r"\[")):
        source(override, *more)


@pytest.fixture(scope="module")
def tokenizer_model(tmp_path_factory) -> Path:
    import sentencepiece as spm

    folder = tmp_path_factory.mktemp("tokenizer")
    text = folder / "text.txt"
    text.write_text("\n".join(f"one two three four five six {n}" for n in range(200)))
    spm.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(folder / "m"), vocab_size=300, model_type="bpe", byte_fallback=True,
        minloglevel=2, hard_vocab_limit=False,
    )  # fmt: skip
    return folder / "m.model"


def test_faults_at_one_place_have_numbers():
    root = {"message_id": "p", "role": "prompter", "text": "x", "replies": [1, 2]}
    data = json.dumps({"message_tree_id": "t", "prompt": root}).encode()
    made = source().read(io.BytesIO(data), InputFile("f", 1), Counter())
    assert [item.number for item in made if isinstance(item, Refused)] == [0, 1, 2]
