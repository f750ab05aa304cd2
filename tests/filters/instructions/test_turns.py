from filters.instructions.turns import Turn, TurnRules, in_order, is_cut, is_empty, out_of_turn, prompt_fault, with_text
from tests.tables import results

ROLES = {"s": "system", "u": "user", "a": "assistant"}
RULES = TurnRules()
REJECT = TurnRules("reject", "reject", "reject", "keep", True)


def turns(letters: str, content: str = "text") -> list[Turn]:
    """Turns by the first letters of their roles; a capital one says nothing."""
    return [Turn(ROLES[x.lower()], "" if x.isupper() else content, x == "a") for x in letters]


def ordered(letters: str, rules: TurnRules = RULES) -> str:
    judged = in_order(turns(letters), rules)
    return judged.reason or "".join(turn.role[0] for turn in judged.turns)


test_ends_are_cut_and_disorder_is_named = results(
    ordered,
    {
        "ua": "ua",
        "sua": "sua",
        "uaua": "uaua",
        "aua": "ua",
        "uau": "ua",
        "saua": "sua",
        "": "no_answer",
        "u": "no_answer",
        "a": "no_answer",
        "s": "no_answer",
        "uua": "two_user_turns",
        "uaa": "two_assistant_turns",
        "uauua": "two_user_turns",
        "uuau": "two_user_turns",
        "usa": "system_not_first",
        "ssua": "system_not_first",
    },
)


def test_ends_may_be_reasons_to_go():
    assert [ordered(letters, REJECT) for letters in ("aua", "uau", "ua")] == [
        "begins_with_answer",
        "ends_with_question",
        "ua",
    ]


def said(letters: str, rules: TurnRules = RULES) -> str:
    judged = with_text(turns(letters), rules)
    return judged.reason or "".join(turn.role[0] for turn in judged.turns)


test_what_follows_an_empty_turn_goes = results(
    said,
    {
        "uaua": "uaua",
        "uauA": "ua",
        "uaUa": "ua",
        "suauA": "sua",
        "Sua": "ua",
        "uA": "empty_answer",
        "Ua": "empty_question",
        "uAua": "empty_answer",
    },
)


def test_an_empty_turn_may_be_a_reason_to_go():
    assert said("uauA", REJECT) == "empty_answer"


def test_an_answer_in_the_middle_of_code_is_cut():
    cut = [Turn("user", "Show me."), Turn("assistant", "So:\n```c\nint x", True)]
    assert with_text(cut, RULES).reason == "cut_text"
    assert with_text(cut, REJECT).turns == cut
    closed = [cut[0], Turn("assistant", "So:\n```c\nint x;\n```", True)]
    assert with_text([*cut, *closed], RULES).turns == [*cut, *closed]  # the user may have said "go on"


test_what_breaks_off_within_code = results(
    is_cut,
    {
        "```": True,
        "```py\nx": True,
        "1. ```py\n   x\n   ```\n2. ```\n   y": True,
        "> ```\n> x": True,
        "```py\nx\n```\nThen:\n```\ny\n```\n\n```sh\nls": True,
        "```py\nx\n```": False,
        "Three backticks (```) open a block.": False,
        "Write `````": False,
        "So: ```py\nx\n```": False,
        "````md\n```py\nx\n```\n````": False,
        "````md\n```py\n````": False,
        "plain": False,
    },
)


def test_a_conversation_in_which_nothing_is_learned_goes():
    untrained = [Turn("user", "Say."), Turn("assistant", "No.")]
    assert with_text(untrained, RULES).reason == "no_trained_answer"
    assert with_text(untrained, REJECT).turns == untrained


test_what_says_nothing = results(is_empty, {"": True, "\x07bell": True, "\nx": True, "x": False, "é": False})

test_who_speaks_twice = results(
    lambda letters: out_of_turn(turns(letters)),
    {"uau": None, "": None, "a": "two_assistant_turns", "uu": "two_user_turns", "uaua": None},
)

test_a_prompt_ends_with_a_question = results(
    lambda letters: prompt_fault(turns(letters)),
    {
        "u": None,
        "suau": None,
        "": "no_prompt",
        "s": "no_prompt",
        "ua": "prompt_ends_with_answer",
        "uu": "two_user_turns",
        "uAu": "empty_answer",
        "U": "empty_question",
        "usu": "system_not_first",
    },
)
