"""Talks with a chat model: turns are read, and the answer to each is written as it comes."""

import argparse
import contextlib
import sys
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

import torch

from tokenizer.chat.encode import check_tokenizer, encode_prompt
from tokenizer.chat.frames import Place
from tokenizer.chat.messages import ConversationError, Message, without_tags
from tokenizer.chat.template import Template, TemplateError
from tokenizer.encode import Encoder
from tokenizer.errors import TokenizerError
from trainer_bridge.checkpoint import latest_checkpoint, load_model, read_info, run_of
from trainer_bridge.errors import TrainerError
from trainer_bridge.generation import continued
from trainer_bridge.model import Transformer
from trainer_bridge.origin import stored_tokenizer
from trainer_bridge.parallel import compute_dtype
from trainer_bridge.template import NAME as TEMPLATE
from trainer_bridge.template import find_template
from trainer_bridge.vocabulary import NAME, check_is, find_tokenizer

ROOM = 4  # a quarter of the context, or as many ids as are asked for, is left to an answer
BEFORE = 8  # ids of the prompt that an answer is decoded behind, for the space that it may begin with
UNFINISHED = "\ufffd"  # what a character is decoded to of which bytes are yet to come
HELP = "Ask, and end with Ctrl-D; Ctrl-C stops an answer, /new begins a new conversation.\n"
ASK = "> "
# What would move a terminal's cursor, or worse: a model of bytes can say any of them.
CONTROLS = dict.fromkeys({*range(32), *range(127, 160)} - {ord("\n"), ord("\t")}, UNFINISHED)


@dataclass(frozen=True)
class Choices:
    """How answers are drawn.

    Attributes:
        tokens: Most ids of an answer.
        temperature: See ``generation.sample``.
        top_p: Likewise.
        seed: Of the first answer; that of each next is one more.
    """

    tokens: int
    temperature: float
    top_p: float
    seed: int


class Talk:
    """A conversation with a model.

    Attributes:
        messages: What was said, from the oldest turn on that the model still reads.
    """

    def __init__(
        self, model: Transformer, encoder: Encoder, template: Template, choices: Choices, system: str | None = None
    ) -> None:
        """Begins one.

        Args:
            model: In evaluation mode.
            encoder: Its tokenizer.
            template: Its template.
            choices: How answers are drawn.
            system: The system text.

        Raises:
            TrainerError: The tokenizer, or the system text, does not go with the template.
        """
        self._model, self._encoder, self._template, self._choices = model, encoder, template, choices
        if encoder.vocab_size > model.config.vocab:
            raise TrainerError(f"the tokenizer has more ids than the model's {model.config.vocab}")
        if system is not None and template.first_with_system is None:
            raise TrainerError(f"the template {template.name} has no place for a system text: leave --system out")
        try:
            check_tokenizer(encoder, template)
            without_tags(system or "", template.tags, "refuse")
        except TemplateError as error:
            raise TrainerError(str(error)) from error
        except ConversationError as error:
            raise TrainerError(f"--system: {error}") from error
        self._system: list[Message] = [] if system is None else [{"role": "system", "content": system}]
        self._answers = 0
        self.messages: list[Message] = []

    def begin_anew(self) -> None:
        """Forgets what was said, but for the system text."""
        self.messages = []

    def answer(self, question: str) -> Generator[str, None, None]:
        """Says something; gives the answer, piece by piece as it comes, and keeps both, as far as it was taken.

        What is too old for the context is forgotten, turn by turn; and all before a question, where the template has
        one turn alone. Where an answer holds a tag of the template, it is kept with the tag escaped.

        Raises:
            ConversationError: The question cannot be encoded: it is empty, or holds a tag of the template.
            TrainerError: It does not fit into the model's context.
        """
        if self._template.later is None:
            self.begin_anew()
        asked: list[Message] = [*self.messages, {"role": "user", "content": question}]
        context, choices = self._model.config.context, self._choices
        room = min(choices.tokens, max(1, context // ROOM))
        prompt = self._ids(asked)
        while len(prompt) + room > context and len(asked) > 1:
            asked = asked[2:]
            prompt = self._ids(asked)
        if len(prompt) >= context:
            what = "system text and question make" if self._system else "the question makes"
            raise TrainerError(f"{what} {len(prompt)} ids; the model's context is {context}")
        count = min(choices.tokens, context - len(prompt))
        seed, said = choices.seed + self._answers, ""
        try:
            for text in self._texts(prompt, count, seed):
                said += text
                yield text
        finally:
            self._answers += 1
            if (said := self._untagged(said)).strip():  # an empty answer is no turn
                self.messages = [*asked, {"role": "assistant", "content": said}]

    def _untagged(self, said: str) -> str:
        """An answer that can be read again: its tags escaped, or what stands before them where that leaves some."""
        tags = self._template.tags
        try:
            return without_tags(said, tags, "escape")
        except ConversationError:
            return said[: min(said.find(tag) for tag in tags if tag in said)]

    def _ids(self, messages: Sequence[Message]) -> list[int]:
        return [int(number) for number in encode_prompt(self._encoder, self._template, [*self._system, *messages])]

    def _texts(self, prompt: list[int], count: int, seed: int) -> Iterator[str]:
        """An answer without its frame, in pieces that are never taken back."""
        choices, template = self._choices, self._template
        front, back = _frame(template)
        back = back.rstrip() if template.strip else back
        held = len(back) + len(template.stop_text)  # characters that may turn out to be of the frame, or of the end
        before = prompt[-BEFORE:]
        known = len(self._encoder.decode(before))
        ids: list[int] = []
        given = text = ""
        for number in continued(self._model, prompt, count, choices.temperature, choices.top_p, seed):
            if template.ends_with_eos and number == self._encoder.eos_id:
                break
            ids.append(number)
            text = _behind(front, self._encoder.decode(before + ids)[known:], strip=template.strip)
            if template.stop_text and template.stop_text in text:
                text = text.partition(template.stop_text)[0]
                break
            sure = text[: max(0, len(text) - held)].rstrip(UNFINISHED)
            sure = sure.rstrip() if template.strip else sure
            if len(sure) > len(given):
                yield sure[len(given) :]
                given = sure
        text = text.rstrip().removesuffix(back).rstrip() if template.strip else text.removesuffix(back)
        if len(text) > len(given):
            yield text[len(given) :]


def _behind(front: str, text: str, *, strip: bool) -> str:
    """What of a text stands behind the front of its frame, of which the end may be yet to come."""
    text = "" if front.startswith(text) else text.removeprefix(front)
    return text.lstrip() if strip else text


def _frame(template: Template) -> tuple[str, str]:
    """What stands before and behind an answer in its frame."""
    parts = template.frames["answer"]
    place = next(n for n, part in enumerate(parts) if isinstance(part, Place))
    front, back = ("".join(str(part) for part in some) for some in (parts[:place], parts[place + 1 :]))
    return front, back


def questions(source: TextIO, *, shows: bool) -> Iterator[str]:
    """What is asked, a line each; blank lines are none."""
    if shows:
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401, PLC0415 - lets lines be edited, and earlier ones be found again
        sys.stderr.write(HELP)
    while True:
        if shows and sys.stdout.isatty():
            try:
                line = input(ASK)
            except (EOFError, KeyboardInterrupt) as end:
                sys.stderr.write("\n")
                if isinstance(end, KeyboardInterrupt):
                    raise
                return
        else:
            sys.stderr.write(ASK * shows)
            sys.stderr.flush()
            if not (line := source.readline()):
                return
        if line.strip():
            yield line.strip()


def run(options: argparse.Namespace) -> None:
    """Talks as a command line asks for."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    checkpoint = latest_checkpoint(options.run)
    folders = checkpoint, run_of(checkpoint)
    template = find_template(options.template, *folders)
    if template is None:
        raise TrainerError(f"{options.run} has no {TEMPLATE}; give its template with --template, such as llama2")
    tokenizer = find_tokenizer(options.tokenizer, *folders)
    if tokenizer is None:
        raise TrainerError(f"{options.run} has no {NAME}; give one with --tokenizer FILE")
    check_is(tokenizer, stored_tokenizer(read_info(checkpoint)), str(options.run))
    try:
        encoder = Encoder(tokenizer)
    except TokenizerError as error:
        raise TrainerError(str(error)) from error
    model = load_model(options.run, device, compute_dtype("auto", device))
    choices = Choices(options.tokens, options.temperature, options.top_p, options.seed)
    talk = Talk(model, encoder, template, choices, options.system)
    shows = options.prompt is None and sys.stdin.isatty()
    for question in [options.prompt] if options.prompt is not None else questions(sys.stdin, shows=shows):
        if shows and question == "/new":
            talk.begin_anew()
            continue
        try:
            say(talk.answer(question), may_stop=shows)
        except (ConversationError, TrainerError) as error:
            if not shows:
                raise TrainerError(str(error)) from error
            sys.stderr.write(f"{error}\n")


def say(pieces: Generator[str, None, None], *, may_stop: bool) -> None:
    """Writes an answer as it comes; where it may, Ctrl-C stops it, and the talk goes on."""
    controls = CONTROLS if sys.stdout.isatty() else {}
    with contextlib.closing(pieces):
        try:
            for piece in pieces:
                sys.stdout.write(piece.translate(controls))
                sys.stdout.flush()
        except KeyboardInterrupt:
            if not may_stop:
                raise
    sys.stdout.write("\n")
    sys.stdout.flush()
