from filters.instructions.shared_chats import BLOCKED_ANSWERS, blocked_word, fault_of, is_html, without_buttons
from filters.instructions.turns import Turn
from tests.tables import results


def chat(*contents: str) -> list[Turn]:
    return [Turn(("user", "assistant")[n % 2], content, n % 2 == 1) for n, content in enumerate(contents)]


test_html_is_told_by_the_ends_of_all_answers = results(
    lambda contents: is_html(chat(*contents)),
    {
        ("q", "<div><p>yes</p></div>"): True,
        ("<div>q</div>", "plain"): False,
        ("q", " <p>a</p>\n", "q", "<ol><li>b</li></ol>"): True,
        ("q", "<p>a</p>", "q", "b"): False,
        ("q", "<p>is how a paragraph begins"): False,
        ("q", "<b>bold</b>"): False,
        ("q", ""): False,
        ("q",): False,
    },
)

test_what_buttons_wrote_goes = results(
    without_buttons,
    {
        "```pythonCopy codeprint(1)\n```": "```python\nprint(1)\n```",
        "So:\n```\nc++Copy code\nint x;\n\n```\nand\n```\nplain\n```": "So:\n```c++\nint x;\n```\nand\n```\nplain\n```",
        "a\n```\nCopy code\n```\nb": "a\n\nb",
        "```Copy codeCopy codex\n```": "```\nx\n```",
        "Press Copy code to copy code.": "Press Copy code to copy code.",
        "```bash\necho Copy code\n```": "```bash\necho Copy code\n```",
        "```go\nCopy code\npackage main\n```": "```go\npackage main\n```",
        "```\npython\n\nCopy code\n\nx = 1\n```": "```python\n\nx = 1\n```",
        "```\necho\nCopy code\n```": "```\necho\nCopy code\n```",
        "```\necho Copy code\nls\n```": "```\necho Copy code\nls\n```",
        "```shCopy codels": "```shCopy codels",  # not closed
        "1 / 2\nAn answer": "An answer",
        "2 / 2": "",
        "10 / 2 = 5": "10 / 2 = 5",
        "Copy123 chars / 20 words\nAn answer": "An answer",
        "  spaces around  ": "spaces around",
    },
)


def test_many_fences_are_passed_once():
    assert len(without_buttons("```x\n" * 400_000 + "Copy code")) == 2_000_009  # FastChat's expressions take days


def test_words_are_found_in_any_turn_and_case():
    assert blocked_word(chat("Who is ChatGPT?", "x"), ("openai", "chatgpt"))
    assert not blocked_word(chat("Who are you?", "A model."), ("openai", "chatgpt"))
    assert not blocked_word(chat("ChatGPT", "x"), ())


def fault(contents: tuple[str, ...]) -> str | None:
    return fault_of(
        chat(*contents),
        blocked_answers=BLOCKED_ANSWERS,
        min_characters=16,
        drop_wrong_numbers=True,
        drop_repeated_digits=True,
    )


test_what_is_left_out = results(
    fault,
    {
        ("a question", "an answer"): None,
        ("ab", "cd"): "too_short",
        ("a question", "Too many requests in 1 hour. Try again later."): "blocked_answer",
        ("Too many requests in 1 hour. Try again later.", "I see."): None,
        ("a question", "List:\n1. one\n1. another"): "wrong_numbers",
        ("a question", "List:\n1. one\n2. another\n1. one"): None,
        ("a question", "It is 000000000 there"): "repeated_digits",
    },
)


def test_rules_may_be_off():
    off = {"blocked_answers": (), "min_characters": 0, "drop_wrong_numbers": False, "drop_repeated_digits": False}
    for contents in (
        ("a", "b"),
        ("q", "Too many requests in 1 hour. Try again later."),
        ("q", "\n1. a\n1. b 000000000"),
    ):
        assert fault_of(chat(*contents), **off) is None
