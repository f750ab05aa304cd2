"""Conversations to ids: those of the reference programs, with loss on answers and their ends alone."""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pipeline.mix import corpora
from tests.tokenizer.chat.conversations import conversation
from tests.tokenizer.models import RELEASED, ROOT
from tokenizer.chat.encode import (
    encode_conversation,
    encode_conversations,
    encode_prompt,
    segments,
    shortened,
)
from tokenizer.chat.messages import ConversationError, check_messages
from tokenizer.chat.spans import conversation_spans, text_of
from tokenizer.chat.template import TemplateError, load_template, parse_template, template_names
from tokenizer.encode import Encoder
from tokenizer.model import parse_model, without_dummy_prefix

SMALL = Path("small.model")
ENGLISH = ROOT / "samples" / "models" / "en.sp.model"
TURNS = st.text(
    st.one_of(
        st.sampled_from("ab :#\n\t.▁\u00a0\u2028é中😀\x00\x1f"),
        st.sampled_from(["[INST]", "</s>", "<s>", "###"]).map(lambda s: s[0]),
        st.characters(),
    ),
    min_size=1,
    max_size=12,
).filter(lambda s: s.strip())
TAGGED = st.one_of(TURNS, st.sampled_from(["x [INST] y", "[/INST]", "<s>a</s>", "### Response: a", "### Human: b"]))
CONVERSATIONS = st.tuples(
    st.lists(st.tuples(TAGGED, TAGGED), min_size=1, max_size=4),
    st.one_of(st.none(), st.just(""), TURNS),
    st.sets(st.integers(0, 3)),
)


@pytest.fixture(scope="module")
def encoders(model_of, tmp_path_factory):
    """Models with and without a dummy prefix, one of the library's alone, and the released one where it is there."""
    small = corpora.write_model(tmp_path_factory.mktemp("small"))
    found = {"small": Encoder(small), "not compiled": Encoder(small, use_compiled=False)}
    found |= {kind: Encoder(model_of(kind)) for kind in ("no_dummy_prefix", "released_settings", "across_spaces")}
    found |= {"released": Encoder(RELEASED)} if RELEASED.exists() else {}
    return found


def raw_text(encoder, ids):
    """What ids are as text, byte by byte: no space is taken from the front, as ``decode`` does."""
    parts = b""
    for number in ids.tolist():
        piece = encoder._processor.id_to_piece(number)
        found = re.fullmatch("<0x(..)>", piece)
        parts += bytes.fromhex(found[1]) if found else piece.replace("▁", " ").encode()
    return parts.decode()


def plain(text):
    """A text as ids can hold it."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text).replace("▁", " ")


def frames_of(template, messages, tags):
    """What the template says that is learnt of a conversation: the answers in their frames, and what ends them."""
    found = [[]]
    for piece in segments(template, check_messages(messages), tags):
        if piece.loss:
            found[-1].append({"eos": "</s>"}.get(piece.special, piece.text))
            found += [[]] * piece.ends_turn
    return ["".join(parts) for parts in found if parts]


@settings(max_examples=60)
@given(CONVERSATIONS, st.sampled_from(template_names()), st.sampled_from(["refuse", "escape"]), st.data())
def test_what_is_masked_in_are_exactly_the_answers(encoders, drawn, name, tags, data):
    pairs, system, untrained = drawn
    template, encoder = load_template(name), encoders[data.draw(st.sampled_from(sorted(encoders)))]
    messages = conversation(*(text for pair in pairs for text in pair), system=system, untrained=untrained)
    found = encode_conversations(encoder, template, [messages], tags)
    if found.refused:
        assert found.refused[0].reason in ("special_tag", "more_than_one_turn", "no_place_for_system")
        assert len(found.ids) == 0
        return
    ids, loss = found.ids, found.loss
    answers = [text if tags == "refuse" else None for n, (_, text) in enumerate(pairs) if n not in untrained]
    frame = template.answer.replace("{answer}", "{0}")
    edges = np.flatnonzero(np.diff(np.concatenate(([0], loss, [0])))).reshape(-1, 2)
    learnt = [raw_text(encoder, ids[a:b]) for a, b in edges]
    expected = [plain(frame.format(a.strip() if template.strip else a)) + "</s>" for a in answers if a is not None]
    assert learnt == [plain(text) for text in frames_of(template, messages, tags)]
    if tags == "refuse":
        assert learnt == expected
    prompt = encode_prompt(encoder, template, messages[:-1], tags)
    assert prompt.tolist() == ids[: len(prompt)].tolist()
    assert not loss[len(prompt) - 1]
    assert untrained.isdisjoint({len(pairs) - 1}) == bool(loss[len(prompt)])


@settings(max_examples=60)
@given(CONVERSATIONS, st.sampled_from(template_names()), st.data())
def test_ids_are_those_of_the_whole_text_where_no_unit_reaches_over_a_border(encoders, drawn, name, data):
    """The reference programs encode what stands between two special ids as one text; the library tells these ids."""
    pairs, system, _ = drawn
    template, encoder = load_template(name), encoders[data.draw(st.sampled_from(sorted(encoders)))]
    messages = conversation(*(text for pair in pairs for text in pair), system=system)
    try:
        pieces = list(segments(template, check_messages(messages)))
    except ConversationError:
        return
    ids, _ = encode_conversation(encoder, template, messages)
    texts, found = [""], []
    for piece in pieces:
        if piece.special:
            texts += [piece.special, ""]
        else:
            texts[-1] += piece.text
    expected = []
    for text in texts:
        special = {"bos": [encoder.bos_id], "eos": [encoder.eos_id]}.get(text)
        expected.append(special or encoder._processor.encode(plain_for_library(text)))
    whole = [number for part in expected for number in part]
    if whole == ids.tolist():
        return
    ends = {len(part) for part in accumulated(pieces)}
    straddles = straddling(encoder, texts, ends)
    assert straddles, found


def plain_for_library(text):
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def accumulated(pieces):
    """The texts up to each border of pieces within a text."""
    text = ""
    for piece in pieces:
        text = "" if piece.special else text + piece.text
        yield text


def straddling(encoder, texts, ends):
    """Whether a unit of any text reaches over one of its borders."""
    for text in texts:
        if text in ("bos", "eos"):
            continue
        bounds = encoder.spans(plain_for_library(text))[1]
        if any(((bounds[:, 0] < end) & (bounds[:, 1] > end)).any() for end in ends):
            return True
    return False


@pytest.mark.skipif(not RELEASED.exists(), reason="the released model is not there")
def test_llama_2_s_ids():
    """Literal ids of the released model: [INST] is four, with the space that it puts first."""
    encoder = Encoder(RELEASED)
    ids, loss = encode_conversation(encoder, load_template("llama2"), conversation("Hello", "Hi there"))
    assert ids.tolist() == [1, 518, 25580, 29962, 15043, 518, 29914, 25580, 29962, 6324, 727, 29871, 2]
    assert loss.tolist() == [False] * 9 + [True] * 4
    alpaca = encode_conversation(encoder, load_template("alpaca"), conversation("a", "Hello"))
    assert alpaca[0][-3:].tolist() == [29901, 10994, 2]  # ":", "Hello" without a space, eos
    assert alpaca[1].sum() == 2


def test_a_piece_within_a_text_gets_no_space(encoders):
    for encoder in encoders.values():
        whole = encoder.encode_batch(["ab", "ab"], begins=[True, False])
        first, second = np.split(whole[0], whole[1][1:-1])
        assert first.tolist() == encoder.encode("ab").tolist()
        assert raw_text(encoder, second) == "ab"
        assert encoder.spans("ab", begins=False)[0].tolist() == second.tolist()


def test_a_model_without_its_dummy_prefix(model_of):
    content = model_of("released_settings").read_bytes()
    model = parse_model(without_dummy_prefix(content), model_of("released_settings"))
    assert (model.add_dummy_prefix, parse_model(content, model_of("released_settings")).add_dummy_prefix) == (
        False,
        True,
    )
    processor = sentencepiece.SentencePieceProcessor()
    processor.LoadFromSerializedProto(without_dummy_prefix(content))
    assert processor.decode(processor.encode("ab")) == "ab"
    assert not processor.id_to_piece(processor.encode("ab")[0]).startswith("▁")


@pytest.mark.parametrize("kind", ["samples", "removes_spaces", "nfkc", "unigram", "characters"])
def test_models_that_rewrite_texts(model_of, kind):
    """The library's ids of what stands between two special ids; a space before an answer stays one."""
    path = ENGLISH if kind == "samples" else model_of(kind)
    encoder, template = Encoder(path), load_template("llama2")
    messages = conversation("What is it ?", "a llama, of course.", "Why ?", "It spits.", system="Be brief.")
    ids, loss = encode_conversation(encoder, template, messages)
    texts = [
        "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nWhat is it ? [/INST] a llama, of course. ",
        "[INST] Why ? [/INST] It spits. ",
    ]
    expected = [[encoder.bos_id, *encoder._processor.encode(text), encoder.eos_id] for text in texts]
    assert ids.tolist() == [number for each in expected for number in each]
    assert encoder.decode(ids[loss][: loss[: len(expected[0])].sum()]).split() == ["a", "llama,", "of", "course."]


def test_many_are_encoded_as_each_is(encoders):
    template = load_template("llama2")
    good = conversation("a b", "c", "d", "e", system="s", untrained=[1])
    many = [good, None, conversation("a", "[INST]"), good[1:], conversation("x")]
    found = encode_conversations(encoders["small"], template, many)
    assert {n: e.reason for n, e in found.refused.items()} == {1: "no_messages", 2: "special_tag", 4: "no_answer"}
    for number, messages in enumerate(many):
        part = slice(*found.offsets[number : number + 2])
        if number in found.refused:
            assert part.start == part.stop
        else:
            ids, loss = encode_conversation(encoders["small"], template, messages)
            assert (found.ids[part].tolist(), found.loss[part].tolist()) == (ids.tolist(), loss.tolist())


def test_what_is_too_long_is_cut_or_refused(encoders):
    encoder, template = encoders["small"], load_template("llama2")
    many = [conversation("a", "b"), conversation("a", "b", "c", "d", "e", "f"), conversation("a" * 50, "b")]
    found = encode_conversations(encoder, template, many)
    lengths = np.diff(found.offsets)
    turn = found.turn_ends[1:4] - found.offsets[1]
    assert turn[-1] == lengths[1]
    for longest in range(int(lengths[0]), int(lengths[1]) + 2):
        cut = shortened(found, longest, "turn")
        kept = max(end for end in turn.tolist() if end <= longest)
        assert np.diff(cut.offsets).tolist() == [lengths[0], kept, 0 if longest < lengths[2] else lengths[2]]
        assert cut.ids[cut.offsets[1] : cut.offsets[2]].tolist() == found.ids[found.offsets[1] :][:kept].tolist()
        assert cut.cut == ((1,) if kept < lengths[1] else ())
        ends = [cut.offsets[1], *(end for end in cut.turn_ends if cut.offsets[1] < end <= cut.offsets[2])]
        assert all(cut.ids[b - 1] == encoder.eos_id for _, b in pairwise(ends))
    refused = shortened(found, int(lengths[0]), "refuse").refused
    assert {n: e.reason for n, e in refused.items()} == {1: "too_long", 2: "too_long"}
    assert np.diff(shortened(found, 30, "ids").offsets).tolist() == [lengths[0], 30, 0]  # all of it would be prompt
    assert shortened(found, 10**6, "ids") is found


def test_a_tokenizer_that_ends_texts_with_a_space_is_refused(model_of):
    encoder = Encoder(model_of("spaces_as_suffixes"))
    with pytest.raises(TemplateError, match="the tokenizer puts a space behind each text"):
        encode_conversation(encoder, load_template("llama2"), conversation("a", "b"))


def test_a_tokenizer_without_bos_or_eos_is_named(tmp_path):
    from tests.tokenizer.models import FIRST_PIECES, model_of_pieces

    unmarked = [piece for piece in FIRST_PIECES if piece[0] not in ("<s>", "</s>")]
    (tmp_path / "m.model").write_bytes(model_of_pieces([*unmarked, ("▁", -1.0, 1), ("a", -2.0, 1)]))
    encoder = Encoder(tmp_path / "m.model")
    with pytest.raises(TemplateError, match=r"the template llama2 has \{bos\}, and the tokenizer has no bos id"):
        encode_conversation(encoder, load_template("llama2"), conversation("a", "b"))
    by_text = parse_template("name: t\nfirst: 'U: {user} A:'\nlater: 'U: {user} A:'\nanswer: ' {answer}'\nend: '<end>'")
    ids, loss = encode_conversation(encoder, by_text, conversation("a", "a", "b", "c"))
    assert raw_text(encoder, ids) == " U: a A: a<end>U: b A: c<end>"
    assert raw_text(encoder, ids[loss]) == " a<end> c<end>"


@settings(max_examples=30)
@given(CONVERSATIONS, st.sampled_from(template_names()), st.sampled_from(["refuse", "escape"]), st.data())
def test_ids_are_found_again_in_the_messages(encoders, drawn, name, tags, data):
    pairs, system, _ = drawn
    template, encoder = load_template(name), encoders[data.draw(st.sampled_from(["small", "no_dummy_prefix"]))]
    messages = conversation(*(plain(text) for pair in pairs for text in pair), system=system and plain(system))
    try:
        ids, spans = conversation_spans(encoder, template, messages, tags)
    except ConversationError:
        return
    assert ids.tolist() == encode_conversation(encoder, template, messages, tags)[0].tolist()
    text, covered = text_of(messages), np.zeros(len(text_of(messages)), bool)
    for number, (first, stop) in zip(ids.tolist(), spans.tolist(), strict=True):
        covered[max(first, 0) : max(stop, 0)] = True
        piece = encoder._processor.id_to_piece(number)
        if first >= 0 and stop - first == len(piece) and not piece.startswith("<0x"):
            assert text[first:stop] == piece.replace("▁", " ") or tags == "escape"
    missed = "".join(character for character, there in zip(text, covered.tolist(), strict=True) if not there)
    marks = (template.input_mark or "").split()
    assert not missed.strip() or missed.split() == marks * (len(missed.split()) // max(1, len(marks)))


def test_a_conversation_of_ten_megabytes(encoders):
    messages = conversation("a", "harbour lantern " * 650_000)
    ids, loss = encode_conversation(encoders["small"], load_template("llama2"), messages)
    assert loss.sum() > 1_000_000
    assert shortened(encode_conversations(encoders["small"], load_template("llama2"), [messages]), 64, "turn").refused
    assert len(ids) == loss.sum() + encode_prompt(encoders["small"], load_template("llama2"), messages[:1]).size
