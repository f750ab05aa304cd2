"""Encodings that a paper does not declare: Japanese, Chinese, Korean and Cyrillic ones, told by their letters.

Western texts have single high bytes between ASCII letters; these have runs of them, which one encoding makes into the
letters that the language uses most.
"""

import re

_SAMPLE = 200_000  # bytes looked at
_LEAST = 4  # wide characters, in a text that is judged
_MOST_BAD = 0.01  # of characters that the encoding does not have
_RUN = re.compile(rb"[\x80-\xff]{4,}")
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa\u30fc]")
_HALF_KANA = re.compile("[\uff61-\uff9f]")
_HANGUL = re.compile("[\uac00-\ud7a3]")
_HAN_SIMPLIFIED = re.compile("[的一是在不了有和这中大为上个国我以要时来用们到作地于出就分对成会可主发年动]")
_HAN_TRADITIONAL = re.compile("[的一是在不了有和這中大為上個國我以要時來用們到作地於出就分對成會可主發年動]")
_CYRILLIC = re.compile("[а-яё]")
_NOT_ASCII = re.compile("[^\x00-\x7f]")
# Encoding, the letters that show it, the least share of them among the characters that are not ASCII, and whether
# runs of high bytes are asked for (Shift-JIS has ASCII bytes within its characters).
_CANDIDATES = (
    ("euc_jp", _KANA, 0.15, True),
    ("cp932", _KANA, 0.15, False),
    ("cp949", _HANGUL, 0.7, True),
    ("gb18030", _HAN_SIMPLIFIED, 0.08, True),
    ("big5", _HAN_TRADITIONAL, 0.08, False),
    ("koi8_r", _CYRILLIC, 0.8, True),
    ("cp1251", _CYRILLIC, 0.8, True),
    ("cp866", _CYRILLIC, 0.8, True),
)


def guess_encoding(data: bytes) -> str | None:
    """The encoding of bytes that are not UTF-8, if their letters show one; None: a Western text, as far as one sees."""
    sample = data[:_SAMPLE]
    high = len(sample) - len(sample.translate(None, bytes(range(128, 256))))
    in_runs = sum(map(len, _RUN.findall(sample))) > high / 2
    for encoding, letters, share, runs in _CANDIDATES:
        if (in_runs or not runs) and _shows(sample.decode(encoding, "replace"), letters, share):
            return encoding
    return None


def _shows(text: str, letters: re.Pattern[str], share: float) -> bool:
    wide = len(_NOT_ASCII.findall(text))
    bad = text.count("\ufffd")
    if wide < _LEAST or bad > max(1, _MOST_BAD * wide) or len(_HALF_KANA.findall(text)) > 0.1 * wide:
        return False
    return len(letters.findall(text)) >= share * wide
