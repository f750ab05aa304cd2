"""Continues a text with a trained model, or talks with one: python -m trainer_bridge.generate RUN "The ..."."""

import argparse
from importlib import import_module

from trainer_bridge.command_line import local_path
from trainer_bridge.errors import TrainerError, run_command

TOKENS, TOKENS_OF_AN_ANSWER = 100, 512
EPILOG = """\
examples:
  python -m trainer_bridge.generate run/ "The "
  python -m trainer_bridge.generate run/ --chat                          # reads a turn a line, answers each
  python -m trainer_bridge.generate run/ --chat "What is a llama?"       # one answer
  python -m trainer_bridge.generate run/ --chat --system "Be brief." < questions.txt

With --chat the model is one that was tuned on conversations: their template lies in its run's folder, else --template
names it. What was said is kept, as far as the model's context reaches; an answer ends where the template says."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = argparse.ArgumentParser(
        prog="python -m trainer_bridge.generate",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("run", type=local_path, help="directory of a run, or one checkpoint")
    result.add_argument("prompt", nargs="?", help="text to continue; with --chat: what is asked, else stdin has turns")
    result.add_argument("--chat", action="store_true", help="talk, by the template of conversations")
    result.add_argument("--system", metavar="TEXT", help="with --chat: the system text")
    result.add_argument("--template", metavar="NAME|FILE", help="with --chat: the template; default: the run's own")
    result.add_argument(
        "--tokens", type=int, help=f"new tokens, at most ({TOKENS}; of an answer {TOKENS_OF_AN_ANSWER})"
    )
    result.add_argument("--temperature", type=float, default=0.8, help="0: always the likeliest")
    result.add_argument("--top-p", type=float, default=0.95)
    result.add_argument("--seed", type=int, default=0)
    result.add_argument("--tokenizer", help="SentencePiece model; default: the run's own")
    return result


def main() -> None:
    """Runs the command line."""
    command = parser()
    options = command.parse_intermixed_args()  # the prompt may stand behind --chat
    if options.prompt is None and not options.chat:
        command.error("give a prompt to continue, or --chat to talk")
    if (options.system is not None or options.template) and not options.chat:
        command.error("--system and --template go with --chat")
    if options.temperature < 0 or not 0 < options.top_p <= 1:
        raise TrainerError("--temperature must be at least 0 and --top-p above 0 and at most 1")
    if options.tokens is None:
        options.tokens = TOKENS_OF_AN_ANSWER if options.chat else TOKENS
    if options.tokens < 1:
        raise TrainerError("--tokens must be at least 1")
    import_module("trainer_bridge.talking" if options.chat else "trainer_bridge.generation").run(options)


if __name__ == "__main__":
    run_command(main, alone=True)
