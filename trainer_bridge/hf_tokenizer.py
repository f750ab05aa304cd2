"""A SentencePiece BPE model as Hugging Face's ``tokenizer.json``, written without any library of theirs.

transformers could read ``tokenizer.model`` itself, but only with a protobuf that fits its SentencePiece.
"""

from typing import Any

from tokenizer.model import SPACE, ModelFile, oddity


def merges(pieces: list[str], scores: list[float], plain: list[bool]) -> list[str]:
    """The merge rules of a SentencePiece BPE model, the most urgent first.

    Args:
        pieces: by id.
        scores: of the pieces; SentencePiece merges the pair whose result has the highest.
        plain: which are text, not control ids or bytes.

    Returns:
        "left right" for each way to make a piece of two others (transformers, convert_slow_tokenizer.py,
        generate_merges).
    """
    ids = {piece: number for number, piece in enumerate(pieces) if plain[number]}
    rules = []
    for piece, number in ids.items():
        for cut in range(1, len(piece)):
            left, right = ids.get(piece[:cut]), ids.get(piece[cut:])
            if left is not None and right is not None:
                rules.append((-scores[number], number, left, right))
    return [f"{pieces[left]} {pieces[right]}" for _, _, left, right in sorted(rules)]


def why_not(model: ModelFile) -> str | None:
    """Why Hugging Face's form cannot hold a model such that it gives the same ids; None where it can."""
    return oddity(model, ("bpe", "char"))


def tokenizer_json(model: Any, file: ModelFile) -> dict[str, Any]:
    """The whole file for a model that this form can hold.

    Args:
        model: The ``SentencePieceProcessor``.
        file: The same model.
    """
    numbers = range(model.get_piece_size())
    pieces = [str(model.id_to_piece(i)) for i in numbers]
    special = [i for i in numbers if model.is_control(i) or model.is_unknown(i)]
    plain = [i not in special and not model.is_byte(i) for i in numbers]
    space = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
    back = {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}
    before = [{"type": "Prepend", "prepend": SPACE}] * file.add_dummy_prefix
    strip = [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] * file.add_dummy_prefix
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": pieces[i], **flags} for i in special],
        "normalizer": {"type": "Sequence", "normalizers": [*before, space]},
        "pre_tokenizer": None,
        "post_processor": _bos_first(pieces, model.bos_id()),
        "decoder": {"type": "Sequence", "decoders": [back, {"type": "ByteFallback"}, {"type": "Fuse"}, *strip]},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": pieces[model.unk_id()],
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": any(model.is_byte(i) for i in numbers),
            "vocab": {piece: number for number, piece in enumerate(pieces)},
            "merges": merges(pieces, [model.get_score(i) for i in numbers], plain),
        },
    }


def _bos_first(pieces: list[str], number: int) -> dict[str, Any] | None:
    """The step that puts bos before a text; none for a model that has no bos."""
    if number < 0:
        return None
    bos = pieces[number]
    first = [{"SpecialToken": {"id": bos, "type_id": 0}}]
    return {
        "type": "TemplateProcessing",
        "single": [*first, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [*first, *({"Sequence": {"id": part, "type_id": 0}} for part in "AB")],
        "special_tokens": {bos: {"id": bos, "ids": [number], "tokens": [bos]}},
    }
