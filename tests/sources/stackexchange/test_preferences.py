from collections import Counter

from pipeline.corpus.document import Document, Refused
from pipeline.steps import Chain
from sources.stackexchange.join import Joiner
from sources.stackexchange.preferences import NAME, PairToText, StackExchangePreferences, pairs_again
from sources.stackexchange.recipe import PreferencesRecipe, StackExchangeRecipe
from sources.stackexchange.rows import classify
from sources.stackexchange.source import StackExchange
from sources.stackexchange.store import Group

QUESTION = (
    b'<row Id="1" PostTypeId="1" AcceptedAnswerId="3" Score="9" Title="A title" Body="&lt;p&gt;Why?&lt;/p&gt;" '
    b'OwnerUserId="8" />'
)
DEFAULTS = PreferencesRecipe()


def answer(number: int, votes: int, body: str) -> bytes:
    fields = f'Id="{number}" PostTypeId="2" ParentId="1" Score="{votes}" Body="{body}" OwnerUserId="1{number}"'
    return f"<row {fields} />".encode()


def thread(*answers: bytes, question: bytes = QUESTION):
    lines = [classify(100 * place, row, False) for place, row in enumerate([question, *answers])]
    joiner = Joiner(NAME, "a.example", "a.7z", Counter())
    (found,) = joiner.join(Group(1, lines, len(lines), 0, 0))
    return found


def pairs(*answers: bytes, recipe: PreferencesRecipe = DEFAULTS, question: bytes = QUESTION):
    """What is kept, and what is not by step and reason."""
    source = StackExchangePreferences(StackExchangeRecipe(preferences=recipe))
    chain = Chain(source.steps_after_dedup(), NAME)
    for step in chain.steps:
        step.load()
    found = list(chain.run(source.pairs(thread(*answers, question=question))))
    kept = [item for item in found if isinstance(item, Document)]
    return kept, [f"{item.step}: {item.reason}" for item in found if not isinstance(item, Document)]


CODE = "&lt;p&gt;So:&lt;/p&gt;&lt;pre&gt;&lt;code&gt;a_b&lt;/code&gt;&lt;/pre&gt;"


def test_a_pair_has_its_text_its_scores_and_the_places_of_its_rows():
    (document,), gone = pairs(answer(2, 12, CODE), answer(3, 2, "&lt;b&gt;Short&lt;/b&gt;"))
    assert gone == []
    assert document.text == "A title\n\nWhy?\n\nSo:\n\na_b\n\nShort"
    assert (document.id, document.url, document.offset) == ("a.example/1/2-3", "https://a.example/questions/1", 0)
    meta = document.meta
    assert meta["messages"] == [{"role": "user", "content": "A title\n\nWhy?", "train": False}]
    assert (meta["chosen"], meta["rejected"], meta["margin"]) == ("So:\n\na_b", "Short", 1.0)
    assert (meta["answer_votes"], meta["answer_scores"]) == ([12, 2], [4, 3])  # the second is accepted
    assert (meta["answer_ids"], meta["answer_offsets"], meta["accepted"]) == ([2, 3], [100, 200], 1)
    assert (meta["authors"], meta["site"], meta["question_id"]) == (["8", "12", "13"], "a.example", 1)


def test_markup_and_prompt_by_the_recipe():
    recipe = PreferencesRecipe(markup="markdown", prompt="Question: {title}\n{question}")
    (document,), _ = pairs(answer(2, 12, CODE), answer(4, 2, "&lt;b&gt;Short&lt;/b&gt;"), recipe=recipe)
    assert document.text == "Question: A title\nWhy?\n\nSo:\n\n```\na_b\n```\n\n**Short**"


def test_why_pairs_go():
    assert pairs(answer(2, 9, "x"))[1] == ["read: one_answer"]
    assert pairs()[1] == ["read: no_answer"]
    assert pairs(answer(2, 1, "x"), answer(4, 1, "y"))[1] == ["read: like_scores"]
    assert pairs(answer(2, 9, "&lt;img src='a'&gt;"), answer(4, 1, "y"))[1] == ["text: empty_answer"]
    assert pairs(answer(2, 9, "&lt;p&gt;y"), answer(4, 1, "y"))[1] == ["text: same_answers"]
    assert pairs(answer(2, 9, "xx"), answer(4, 1, "y"), recipe=PreferencesRecipe(min_characters=2))[1] == [
        "text: too_short"
    ]
    nothing = b'<row Id="1" PostTypeId="1" Score="9" Body="" />'
    assert pairs(answer(2, 9, "x"), answer(4, 1, "y"), question=nothing)[1] == ["text: empty_question"]


def test_posts_that_pairs_share_are_the_same_in_each():
    kept, _ = pairs(*(answer(number, 4**number, f"body {number}") for number in range(2, 6)))
    assert [document.id.rpartition("/")[2] for document in kept] == ["3-2", "4-2", "4-3", "5-2", "5-3", "5-4"]
    assert {document.meta["chosen"] for document in kept} == {"body 3", "body 4", "body 5"}
    step = PairToText(PreferencesRecipe())
    step.load()
    assert step.apply(kept[:0]) == []


def test_pairs_are_found_again_whatever_is_drawn():
    found = thread(*(answer(number, 4**number, f"body {number}") for number in range(2, 9)))
    again = list(pairs_again(found, [(8, 2), (3, 2)]))
    assert [pair.id for pair in again] == ["a.example/1/3-2", "a.example/1/8-2"]
    assert list(pairs_again(found, [(2, 8)])) == []


def test_the_source_of_threads_says_nothing_of_pairs():
    recipe = StackExchangeRecipe()
    assert "preferences" not in StackExchange(recipe).describe()["recipe"]
    said = StackExchangePreferences(recipe).describe()["recipe"]
    assert said["preferences"]["max_pairs"] == 10
    assert not {"template", "optout", "keep_unanswered"} & set(said)
    assert Refused("x", "y", "z", 0).failed
