"""What the papers' protocols need beyond the harness's own YAML; the files in tasks/ name these functions.

Sources: LLaMA (arXiv 2302.13971), section 3 and appendix A; Brown et al. 2020 (GPT-3), appendix G; Lewkowycz et al.
2022 (Minerva), appendix D; Chen et al. 2021 (HumanEval); Austin et al. 2021 (MBPP).
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks.hendrycks_math.utils import is_equiv, last_boxed_only_string, remove_boxed

from trainer_bridge.benchmark.judge import Judge
from trainer_bridge.benchmark.sandbox import Sandbox
from trainer_bridge.errors import TrainerError
from trainer_bridge.parallel import World

ANSWER = "Answer:"
ARTICLES = re.compile(r"\b(a|an|the)\b")
MINERVA = re.compile(r"Final Answer: The final answer is(.*?)\. I hope it is correct\.", re.S)
LETTERS = "ABCD"

Document = Mapping[str, Any]


class OwnTask(ConfigurableTask):
    """A task of a YAML file that names a class."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config={key: value for key, value in config.items() if key != "class"})


class AnswerContext(OwnTask):
    """Multiple choice by P(completion | context) / P(completion | "Answer:") (section 3; Brown et al. 2020).

    Metrics: ``acc_answer`` by that; ``acc`` and ``acc_norm`` (by characters) beside it, from the same answers.
    """

    def construct_requests(self, doc: Document, ctx: str, **kwargs: Any) -> list[Instance]:
        """Each completion after its context, then each after ``Answer:``."""
        kwargs.pop("apply_chat_template", None)
        kwargs.pop("chat_template", None)
        endings = [f"{self.config.target_delimiter}{choice}" for choice in self.doc_to_choice(doc)]
        asked = [(ctx, ending) for ending in endings] + [(ANSWER, ending) for ending in endings]
        return [
            Instance(request_type="loglikelihood", doc=doc, arguments=arguments, idx=number, **kwargs)
            for number, arguments in enumerate(asked)
        ]

    def process_results(self, doc: Document, results: Sequence[tuple[float, bool]]) -> dict[str, float]:
        """1 or 0 for each metric."""
        choices = self.doc_to_choice(doc)
        values = np.array([value for value, _ in results])
        given, alone = values[: len(choices)], values[len(choices) :]
        gold = self.doc_to_target(doc)
        ways = {"acc_answer": given - alone, "acc": given, "acc_norm": given / [len(choice) for choice in choices]}
        return {name: float(int(np.argmax(way)) == gold) for name, way in ways.items()}


def question(doc: Document) -> str:
    """A question of closed-book answering as figure 3 has it: a capital first, a question mark last."""
    text = str(doc["question"]).strip()
    text = text[:1].upper() + text[1:]
    return f"Q: {text if text.endswith('?') else text + '?'}\nA:"


def normalised(answer: str) -> str:
    """Lower case, without articles, punctuation and more than one space (appendix A; SQuAD's evaluation script)."""
    text = "".join(c for c in answer.lower() if c not in string.punctuation)
    return " ".join(ARTICLES.sub(" ", text).split())


def exact_match(doc: Document, results: Sequence[str]) -> dict[str, float]:
    """Whether a generated answer is any of the accepted ones, after normalisation."""
    accepted = {normalised(answer) for answer in accepted_answers(doc)}
    return {"exact_match": float(normalised(results[0]) in accepted)}


def accepted_answers(doc: Document) -> list[str]:
    """NaturalQuestions' list, or TriviaQA's aliases with its own normalised forms."""
    answer: Any = doc["answer"]
    if isinstance(answer, Mapping):
        return [answer["value"], *answer["aliases"], *answer.get("normalized_aliases", ())]
    return [answer] if isinstance(answer, str) else list(answer)


def first_answer(doc: Document) -> str:
    """The answer that an example shows."""
    answer: Any = doc["answer"]
    return str(answer["value"]) if isinstance(answer, Mapping) else accepted_answers(doc)[0]


def race_documents(data: Any) -> Any:
    """Each question of an article, with those before it answered (Brown et al. 2020, figure of RACE)."""
    before: dict[str, str] = {}
    rows = []
    for doc in data:
        asked = before.get(doc["article"], "")
        gold = LETTERS.index(doc["answer"])
        rows.append({"before": asked, "gold": gold})
        before[doc["article"]] = f"{asked}Q: {doc['question']}\nA: {doc['options'][gold]}\n\n"
    for name in ("before", "gold"):
        data = data.add_column(name, [row[name] for row in rows])
    return data


def math_answer(text: str) -> str:
    """The answer that a solution states, in Minerva's closing sentence or else in its last box; else empty."""
    if found := MINERVA.search(text):
        return found[1].strip().strip("$").strip()
    boxed = last_boxed_only_string(text)
    try:
        return str(remove_boxed(boxed)) if boxed else ""
    except AssertionError:  # a box that is never closed
        return ""


def math_match(doc: Document, results: Sequence[Any]) -> dict[str, float]:
    """Whether the answer is right (Hendrycks et al. 2021, their rules of equality); of many, the one most often given.

    Majority: Wang et al. 2022; among equally frequent answers, the first that was given.
    """
    given = results[0] if isinstance(results[0], list) else results
    answers = [math_answer(f"{text} I hope it is correct." if text.endswith(".") else text) for text in given]
    votes = Counter(answer for answer in answers if answer)
    chosen = votes.most_common(1)[0][0] if votes else ""
    return {"exact_match": float(bool(is_equiv(chosen, math_answer(doc["solution"]))))}


def all_samples(responses: Sequence[Sequence[str]], docs: Sequence[Document]) -> list[list[list[str]]]:
    """Filter: what is scored together is all samples of a document."""
    return [[list(samples)] for samples in responses]


def pass_at(k: int, samples: int, right: int) -> float:
    """Unbiased estimate that one of k samples is right, from n samples of which c are (Chen et al. 2021, equation 1).

    Args:
        k: samples that a user would draw.
        samples: n, drawn.
        right: c, of these.

    Returns:
        1 - C(n - c, k) / C(n, k); with fewer than k samples, that of all of them.
    """
    k = min(k, samples)
    return 1.0 - comb(samples - right, k) / comb(samples, k)


@dataclass(frozen=True)
class Means:
    """What some tasks need beside a model.

    Attributes:
        world: the ranks: the first one runs programs and asks the judge, for all.
        sandbox: where programs are run; None: nowhere.
        judge: scores texts; None on the other ranks.
        judged: whether there is one; without, texts are written down without a score.
    """

    world: World
    sandbox: Sandbox | None = None
    judge: Judge | None = None
    judged: bool = False


class NeedsMeans(OwnTask):
    """A task that is given its means once it is loaded."""

    means: Means | None = None

    def from_first(self, work: Callable[[Means], dict[str, float]]) -> dict[str, float]:
        """What the first rank finds, for all."""
        means = self.means
        assert means is not None
        return means.world.from_first(lambda: work(means))


class CodeTask(NeedsMeans):
    """A task whose answers are programs. Metrics: pass@1, 10, 80, 100, as far as there are samples."""

    def process_results(self, doc: Document, results: Sequence[Sequence[str]]) -> dict[str, float]:
        """Estimates for one problem."""
        return self.from_first(lambda means: self._passes(means, self.programs(doc, results[0])))

    def programs(self, doc: Document, samples: Sequence[str]) -> list[str]:
        """Each sample with the tests of its problem, which come to their end where it is right."""
        raise NotImplementedError

    @staticmethod
    def _passes(means: Means, programs: Sequence[str]) -> dict[str, float]:
        assert means.sandbox is not None
        right = sum(means.sandbox.run(programs))
        ks = [k for k in (1, 10, 80, 100) if k <= len(programs)]
        return {f"pass@{k}": pass_at(k, len(programs), right) for k in ks}


class HumanEval(CodeTask):
    """Completions of a function."""

    def programs(self, doc: Document, samples: Sequence[str]) -> list[str]:
        """Head, completion, tests."""
        return [f"{doc['prompt']}{text}\n{doc['test']}\ncheck({doc['entry_point']})\n" for text in samples]


class Mbpp(CodeTask):
    """Programs for a description."""

    def programs(self, doc: Document, samples: Sequence[str]) -> list[str]:
        """Program, tests."""
        tests = "\n".join([doc.get("test_setup_code") or "", *doc["test_list"]])
        return [f"{text}\n{tests}\n" for text in samples]


class Judged(NeedsMeans):
    """A task whose answers are scored by a program of the user's; without one it has no metrics."""

    def process_results(self, doc: Document, results: Sequence[str]) -> dict[str, float]:
        """The judge's numbers for one text."""
        if self.means is None or not self.means.judged:
            return {}
        prompt, name = self.doc_to_text(doc), str(self.config.task)

        def ask(means: Means) -> dict[str, float]:
            assert means.judge is not None
            numbers = means.judge.score(name, prompt, results[0], doc)
            wanted = list(self.aggregation())
            if not set(wanted) & set(numbers):
                raise TrainerError(f"--judge answered {', '.join(numbers)}; {name} wants {', '.join(wanted)}")
            return numbers

        return self.from_first(ask)


def squad_match(doc: Document, results: Sequence[str]) -> dict[str, float]:
    """SQuAD 2.0's exact match; a question without an answer is answered by nothing."""
    accepted = {normalised(text) for text in doc["answers"]["text"]} or {""}
    said = normalised(results[0])
    return {"exact_match": float(("" if said in ("unanswerable", "") else said) in accepted)}


def turns(doc: Document) -> Iterator[str]:  # QuAC: questions and answers so far
    """The dialogue of a QuAC section, one prompt a question."""
    said = f"{doc['background']}\n\n{doc['context']}\n\n"
    for asked, answers in zip(doc["questions"], doc["texts"], strict=True):
        yield f"{said}Q: {asked}\nA:"
        said += f"Q: {asked}\nA: {answers[0]}\n\n"


def quac_documents(data: Any) -> Any:
    """Every question of every dialogue, with what was asked and answered before it."""
    rows = [
        {"prompt": prompt, "accepted": answers}
        for doc in data
        for prompt, answers in zip(
            turns({**doc, "texts": doc["answers"]["texts"]}), doc["answers"]["texts"], strict=True
        )
    ]
    return type(data).from_list(rows)


def quac_f1(doc: Document, results: Sequence[str]) -> dict[str, float]:
    """The best overlap of words with an accepted answer."""
    return {"f1": max(_f1(normalised(results[0]).split(), normalised(text).split()) for text in doc["accepted"])}


def _f1(said: Sequence[str], wanted: Sequence[str]) -> float:
    common = sum((Counter(said) & Counter(wanted)).values())
    if not common:
        return float(not said and not wanted)
    return 2 * common / (len(said) + len(wanted))
