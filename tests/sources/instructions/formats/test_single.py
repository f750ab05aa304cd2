from sources.instructions.formats.items import Conversation
from sources.instructions.formats.single import Alpaca, Gpt4All, WizardLM
from tests.sources.instructions.items import brief, read
from tests.tables import results_of

ALPACA, WIZARD, GPT = Alpaca(), WizardLM(), Gpt4All()


def test_an_input_follows_its_instruction_and_is_told():
    (item,) = read(ALPACA, [{"instruction": " Translate. ", "input": "Guten Tag\n", "output": "Good day", "id": 7}])
    assert isinstance(item, Conversation)
    assert brief(item) == "u:Translate.\n\n### Input:\nGuten Tag / a:Good day!"
    assert (item.facts, item.key) == ({"input": "Guten Tag"}, "7")
    (item,) = read(Alpaca("\n"), [{"instruction": "a", "input": "b", "output": "c"}])
    assert brief(item) == "u:a\nb / a:c!"


def one(format_, fields: tuple) -> str:
    return brief(read(format_, [dict(zip(format_.columns, fields, strict=True))])[0])


test_records = results_of(
    one,
    {
        ALPACA: {
            ("a", "", "c"): "u:a / a:c!",
            ("a", None, "c"): "u:a / a:c!",
            ("", "b", "c"): "u:b / a:c!",
            ("", "", ""): "u: / a:!",
            (1, "", "c"): "wrong_type",
            ("a", 1, "c"): "wrong_type",
            ("a", "", None): "missing_field",
        },
        WIZARD: {("a", "c"): "u:a / a:c!", ("a", 5): "wrong_type", (None, "c"): "missing_field"},
        GPT: {
            ("a", "c", "p3"): "u:a / a:c!",
            ("a", "c", 3): "u:a / a:c!",
            ("a", None, "p3"): "missing_field",
            ("a", 1.5, "p3"): "wrong_type",
        },
    },
)


def test_texts_in_objects_are_taken_out():
    inner = [{"value": "a", "description": "b"}, {"description": "c"}, {"other": "a"}, ["a"]]
    found = read(GPT, [{"prompt": one, "response": "d"} for one in inner])
    assert [brief(item) for item in found] == ["u:a / a:d!", "u:c / a:d!", "wrong_type", "wrong_type"]


def test_what_else_a_record_tells():
    (item,) = read(GPT, [{"prompt": "a", "response": "c", "source": "unified_chip2", "id": "x"}])
    assert (item.facts, item.key) == ({"part": "unified_chip2"}, "x")
    (item,) = read(WIZARD, [{"instruction": "a", "output": "c", "idx": "y"}])
    assert item.key == "y"


def test_messages_name_the_field_and_what_is_there():
    found = read(ALPACA, [{"instruction": "a", "output": {"x": 1}}, {"instruction": "a", "other": 1}])
    assert [fault.message for fault in found] == [
        "output is a object, not text: of 1",
        "output is missing; the record has instruction, other",
    ]
