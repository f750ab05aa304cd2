"""NLTK's own Punkt tokenizer with the embedded model, made to find the places to look at as NLTK did before 3.6.6.

NLTK's classes do the rest: the tokens, the decisions, the sentences.
"""

import re
from pathlib import Path

from nltk.tokenize.punkt import PunktLanguageVars, PunktParameters, PunktSentenceTokenizer

from filters.c4.sentences import PunktModel, load_punkt

MODEL = Path(__file__).parents[3] / "samples" / "models" / "punkt.en.json.gz"
NON_WORD = r"(?:[?!)\";}\]\*:@\'\({\[])"
CONTEXT = re.compile(rf"\S*[.?!](?=(?P<after>{NON_WORD}|\s+(?P<next>\S+)))")


class Marks(PunktLanguageVars):
    """Without the curly quotation marks of NLTK 3.10."""

    _re_non_word_chars = NON_WORD
    re_boundary_realignment = re.compile(r'["\')\]}]+?(?:\s+|(?=--)|$)', re.MULTILINE)


class Tokenizer(PunktSentenceTokenizer):
    """Finds candidates with one regex, as NLTK 3.5 did."""

    def _slices_from_text(self, text):
        last = 0
        for match in CONTEXT.finditer(text):
            if self.text_contains_sentbreak(match[0] + match["after"]):
                yield slice(last, match.end())
                last = match.start("next") if match["next"] else match.end()
        yield slice(last, len(text.rstrip()))


def nltk_tokenizer(model: PunktModel | None = None) -> Tokenizer:
    """The tokenizer with a model, the embedded one if not given."""
    model = model or load_punkt(str(MODEL))
    parameters = PunktParameters()
    parameters.abbrev_types = set(model.abbreviations)
    parameters.collocations = set(model.collocations)
    parameters.sent_starters = set(model.starters)
    parameters.ortho_context.update(model.context)
    return Tokenizer(parameters, lang_vars=Marks())
