"""The steps of C4 from WET files: thin over filters, one class for each group of rules of the original."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from filters.c4.bad_words import BadWords, read_bad_words
from filters.c4.language import Langdetect
from filters.c4.lines import LineRules, clean_page
from filters.c4.sentences import SentenceCounter, load_punkt
from filters.language import LanguageIdentifier
from pipeline.corpus.document import Document
from pipeline.errors import ModelError
from pipeline.steps import EachDocument
from pipeline.storage.filesystem import local_model
from sources.c4.recipe import BadWordsRecipe, LanguageRecipe, PageRecipe, SentencesRecipe
from sources.languages import refuse_unknown

# The counters of lines, by the original's names: "line-filtered:" and these, and "line-passed".
LINE_RULES = ("too_long_word", "no_endmark", "too_short", "javascript", "policy")
DUPLICATES = ("global_duplicate", "local_duplicate")
FILTERED = "line-filtered:"
PASSED = "line-passed"
BAD_WORDS = "list of bad words"  # what the file is called in errors


class CheckPage(EachDocument):
    """Drops what is no page: without URL, text or time, or too long (``split_wet_file``, ``is_valid_length``)."""

    name = "page"

    def __init__(self, recipe: PageRecipe) -> None:
        self._recipe = recipe

    def judge(self, document: Document) -> str | None:
        """Looks at a page."""
        if not document.url:
            return "no_url"
        if not document.text:
            return "no_content"
        if document.created is None:
            return "no_timestamp"
        return "too_long" if len(document.text) > self._recipe.max_characters else None


class _SentenceStep:
    """What the two steps that count sentences share: the model, and counters of lines in the ledger."""

    def __init__(self, sentences: SentencesRecipe) -> None:
        self._recipe = sentences
        self._counter: SentenceCounter | None = None
        self.counters: Counter[str] = Counter()

    def load(self) -> None:
        """Loads the model of sentence ends."""
        try:
            self._counter = SentenceCounter(load_punkt(local_model(self._recipe.model, self._recipe.sha256)))
        except ValueError as error:
            raise ModelError(str(error)) from error


class CleanLines(_SentenceStep):
    """The rules on lines, and enough sentences on those that stay (``clean_page``)."""

    name = "lines"

    def __init__(self, rules: LineRules, sentences: SentencesRecipe) -> None:
        super().__init__(sentences)
        self._rules = rules

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Cleans each page that stays; one that goes keeps its text, for the rejects."""
        assert self._counter is not None
        pages = [clean_page(document.text, self._rules, self._counter) for document in documents]
        for document, page in zip(documents, pages, strict=True):
            self.counters.update(page.counters)
            document.meta["removed_lines"] = {rule: page.counters[FILTERED + rule] for rule in LINE_RULES}
            if page.reason is None:
                document.text = page.text
        return [page.reason for page in pages]


class CountSentences(_SentenceStep):
    """Counts sentences again, after lines went to other pages (``_remove_lines_from_text``).

    Args:
        min_sentences: A page with fewer goes; None where no line could have gone.
        sentences: The model of sentence ends.
    """

    name = "sentences"

    def __init__(self, min_sentences: int | None, sentences: SentencesRecipe) -> None:
        super().__init__(sentences)
        self._minimum = min_sentences

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Sets each page's number of sentences, over its lines together."""
        assert self._counter is not None
        counts = [self._counter.count(document.text) for document in documents]
        for document, count in zip(documents, counts, strict=True):
            document.meta["sentences"] = count
            removed = document.meta["removed_lines"]
            if self._minimum is not None:
                self.counters.update({FILTERED + rule: removed[rule] for rule in DUPLICATES})
                self.counters[PASSED] += document.meta["kept_lines"]
        return [self._judge(document, count) for document, count in zip(documents, counts, strict=True)]

    def _judge(self, document: Document, count: int) -> str | None:
        if self._minimum is None:
            return None
        if not document.text:
            return "empty"
        return "too_few_sentences" if count < self._minimum else None


class IdentifyLanguage:
    """Keeps one language (``detect_english``)."""

    name = "language"

    def __init__(self, recipe: LanguageRecipe) -> None:
        self._recipe = recipe
        self._model: LanguageIdentifier | Langdetect | None = None

    def load(self) -> None:
        """Loads the model, or langdetect's profiles, which takes a second."""
        if self._recipe.method == "langdetect":
            self._model, name = Langdetect(), "langdetect"
        else:
            name = self._recipe.model
            try:
                self._model = LanguageIdentifier(local_model(name, self._recipe.sha256))
            except ValueError as error:
                raise ModelError(f"the language model cannot be used: {error}") from error
        refuse_unknown([self._recipe.keep], self._model.languages, name)

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Sets each page's language and its probability."""
        if isinstance(self._model, Langdetect):
            return [self._detect(self._model, document) for document in documents]
        assert self._model is not None
        found = self._model.identify([document.text for document in documents])
        return [self._judge(d, language, score) for d, (language, score) in zip(documents, found, strict=True)]

    def _detect(self, model: Langdetect, document: Document) -> str | None:
        try:
            language, probability = model.identify(document.text)
        except ValueError as error:
            return str(error)
        return self._judge(document, language, probability)

    def _judge(self, document: Document, language: str, score: float) -> str | None:
        document.language = language
        document.meta["language_score"] = score
        if score < self._recipe.threshold:
            return "low_confidence"
        return None if language == self._recipe.keep else "ignored_language"


class DropBadWords:
    """Drops pages with a word of the list (``get_badwords_filter_fn``)."""

    name = "bad_words"

    def __init__(self, recipe: BadWordsRecipe) -> None:
        self._recipe = recipe
        self._words: BadWords | None = None

    def load(self) -> None:
        """Reads the list."""
        assert self._recipe.list is not None
        try:
            self._words = read_bad_words(local_model(self._recipe.list, self._recipe.sha256, BAD_WORDS))
        except ValueError as error:
            raise ModelError(str(error)) from error

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Looks for the words in each page."""
        assert self._words is not None
        return ["bad_words" if self._words.found_in(document.text) else None for document in documents]
