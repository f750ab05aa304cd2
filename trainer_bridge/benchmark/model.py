"""lm-evaluation-harness's interface over our model and our encoder.

Numbers equal those of the harness's own Hugging Face model (lm_eval/models/huggingface.py) on the exported run, quirks
included: begin-of-sequence stands before every text, so a rolling likelihood predicts it once, too.
"""

import logging
import sys
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import normalize_gen_kwargs
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from tqdm import tqdm

from tokenizer.encode import Encoder
from trainer_bridge.benchmark.scoring import Continuation, Prompt, Scorer
from trainer_bridge.errors import TrainerError
from trainer_bridge.model import Transformer
from trainer_bridge.parallel import World

MINUTE = 60.0
LONGEST = 256  # ids of a continuation where a task does not say: the harness's own number
KNOWN = {"until", "max_gen_toks", "do_sample", "temperature", "top_p"}


class TrainedModel(TemplateLM):
    """A trained model, as the harness asks one.

    The harness is given one process: every rank asks the same, and ``Scorer`` deals the work.
    """

    def __init__(
        self,
        model: Transformer,
        encoder: Encoder,
        world: World,
        batch_tokens: int = 16384,
        together: bool = False,
        seed: int = 0,
    ) -> None:
        """Takes a model in evaluation mode.

        Args:
            model: the model.
            encoder: its tokenizer.
            world: the ranks that share the work.
            batch_tokens: see ``Scorer``.
            together: see ``Scorer``.
            seed: of the draws, where a task draws.

        Raises:
            TrainerError: the tokenizer has more ids than the model.
        """
        super().__init__()
        if encoder.vocab_size > model.config.vocab:
            raise TrainerError(
                f"the tokenizer has {encoder.vocab_size} ids, more than the model's {model.config.vocab}"
            )
        self.model, self.encoder, self.world, self.seed = model, encoder, world, seed
        self.max_length = model.config.context
        self._batch_tokens, self._together = batch_tokens, together
        self._device = model.rope.device
        self._stream = sys.stderr  # whatever the harness's own bars are drawn on
        self._asked: dict[tuple[str, str], int] = {}

    @property
    def eot_token_id(self) -> int:
        """End of sequence."""
        return self.encoder.eos_id

    @property
    def prefix_token_id(self) -> int:
        """What an empty context is: begin of sequence, where the tokenizer has one."""
        return self.encoder.bos_id if self.encoder.bos_id >= 0 else self.encoder.eos_id

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        """Ids of a text, after begin-of-sequence unless told otherwise."""
        ids: list[int] = self.encoder.encode(string).tolist()
        wanted = add_special_tokens is not False and self.encoder.bos_id >= 0
        return [self.encoder.bos_id, *ids] if wanted else ids

    def _loglikelihood_tokens(self, requests: Any, disable_tqdm: bool = False, **_: Any) -> list[tuple[float, bool]]:
        texts = [self._last((*context, *continuation), len(continuation)) for _, context, continuation in requests]
        found: list[tuple[float, bool]] = self._with_progress(
            "likelihoods", len(texts), lambda scorer: scorer.loglikelihoods(texts)
        )
        return found

    def _last(self, ids: Sequence[int], scored: int) -> Continuation:
        """As much as the model sees: what is too long is cut at its beginning."""
        kept = tuple(ids[-(self.max_length + 1) :])
        return Continuation(kept, min(scored, len(kept) - 1))

    def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> list[float]:
        """Log-likelihood of whole texts, window by window, each id predicted once with as much context as fits."""
        windows: list[Continuation] = []
        owners: list[int] = []
        for number, request in enumerate(requests):
            ids = self.tok_encode(request.args[0])
            for pair in get_rolling_token_windows(ids, self.prefix_token_id, self.max_length, 1):
                context, continuation = make_disjoint_window(pair)
                windows.append(Continuation((*context, *continuation), len(continuation)))
                owners.append(number)
        scores = self._with_progress("likelihoods", len(windows), lambda scorer: scorer.loglikelihoods(windows))
        totals = [0.0] * len(requests)
        for owner, (value, _) in zip(owners, scores, strict=True):
            totals[owner] += value
        return totals

    def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
        """Continuations of texts, up to the first of their stops."""
        self._asked = {}  # draws do not depend on what was asked of other tasks before
        prompts = [self._prompt(request) for request in requests]

        def work(scorer: Scorer) -> list[list[int]]:
            return scorer.continuations(prompts, self.encoder.decode, self.eot_token_id)

        found = self._with_progress("continuations", len(prompts), work)
        return [_before(self.encoder.decode(new), p.stops) for new, p in zip(found, prompts, strict=True)]

    def _prompt(self, request: Any) -> Prompt:
        """A request's ids and settings; the same text asked again is drawn with another seed.

        Where a continuation as long as asked for leaves no room for the text, each has half of the context.
        """
        text, given = request.args[:2]
        settings: Any = normalize_gen_kwargs(given, LONGEST)
        if unknown := sorted(set(settings) - KNOWN):
            raise TrainerError(
                f"{request.task_name}: generation_kwargs has {', '.join(unknown)}, which is not known here"
            )
        count = settings["max_gen_toks"]
        count = count if count < self.max_length else self.max_length // 2
        temperature = float(settings.get("temperature") or 0.0) if settings["do_sample"] else 0.0
        nth = self._asked[text, str(given)] = self._asked.get((text, str(given)), -1) + 1
        return Prompt(
            tuple(self.tok_encode(text)[-(self.max_length - count) :]),
            count,
            tuple(settings["until"]),
            temperature,
            float(settings.get("top_p", 1.0)),
            zlib.crc32(f"{self.seed} {nth} {text}".encode("utf-8", "replace")),  # of a larger one 32 bits alone count
        )

    def _with_progress(self, what: str, count: int, work: Callable[[Scorer], Any]) -> Any:
        """Has some work done, with a bar on a terminal; in a log, with a line a minute."""
        shown = {} if self._stream.isatty() else {"mininterval": MINUTE, "delay": MINUTE, "ascii": True}
        hidden = self.world.rank > 0
        with tqdm(total=count, desc=what, file=self._stream, disable=hidden, leave=False, **shown) as bar:
            scorer = Scorer(
                self.model, self.world, self._batch_tokens, self._together, lambda n: bar.update(n) and None
            )
            return work(scorer)


def _before(text: str, stops: Sequence[str]) -> str:
    """A text up to the first of some stops."""
    for stop in filter(None, stops):
        text = text.split(stop, maxsplit=1)[0]
    return text


def quiet_harness() -> None:
    """The harness warns of each default that it takes; a task's file is the place to look."""
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
