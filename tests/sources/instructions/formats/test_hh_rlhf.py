from sources.instructions.formats.hh_rlhf import HhRlhf
from tests.sources.instructions.items import brief, read
from tests.tables import results

ASKED = "\n\nHuman: a"
ROUND = "\n\nHuman: a\n\nAssistant: b\n\nHuman: c"


def one(texts: tuple[str, str]):
    return brief(read(HhRlhf(), [{"chosen": texts[0], "rejected": texts[1]}])[0])


test_dialogues = results(
    one,
    {
        (f"{ASKED}\n\nAssistant: x", f"{ASKED}\n\nAssistant: y\n"): ["u:a", "x", "y", None],
        (f"{ROUND}\n\nAssistant: x\n\ntwo", f"{ROUND}\n\nAssistant:"): ["u:a / a:b / u:c", "x\n\ntwo", "", None],
        (f"{ASKED} Human: b\n\nAssistant: x", f"{ASKED} Human: b\n\nAssistant: y"): ["u:a Human: b", "x", "y", None],
        (f"{ASKED}\n\nAssistant: x", f"{ROUND}\n\nAssistant: y"): "unlike_prompts",
        (f"{ASKED}", f"{ASKED}\n\nAssistant: y"): "no_answer",
        ("", f"{ASKED}\n\nAssistant: y"): "no_answer",
        ("Hello", "Hello"): "unknown_role",
        ("\n\nAssistant: x", "\n\nAssistant: y"): ["", "x", "y", None],
        (5, "x"): "wrong_type",
    },
)


def test_the_path_tells_the_part_and_the_split():
    record = {"chosen": f"{ASKED}\n\nAssistant: x", "rejected": f"{ASKED}\n\nAssistant: y"}
    facts = [
        read(HhRlhf(), [record], path)[0].facts
        for path in ("hh/helpful-base/train.jsonl.gz", "harmless-base/test.jsonl", "mine/pairs.jsonl", "train.json")
    ]
    assert facts == [
        {"part": "helpful-base", "split": "train"},
        {"part": "harmless-base", "split": "test"},
        {"part": None, "split": None},
        {"part": None, "split": "train"},
    ]


def test_white_space_without_end_is_passed_once():
    assert one(("\n" * 2_000_000, "")) == "no_answer"
