"""What the commands of ``trainer_bridge.chat`` share: recipe, overrides, ``--keys``."""

import argparse
import re
import sys
from collections.abc import Sequence

from pipeline.recipe_keys import listing, recipe_keys
from trainer_bridge.chat.config import ChatConfig, load_chat
from trainer_bridge.command_line import local_path
from trainer_bridge.recipe import CHAT, recipe_names

OVERRIDE = re.compile(r"[a-z]+\.[a-z_]+=")


def chat_parser(module: str, description: str, epilog: str) -> argparse.ArgumentParser:
    """The parser of a command, with the flags that all have.

    Args:
        module: what ``python -m`` runs.
        description: of what it does.
        epilog: examples.
    """
    result = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    names = ", ".join(recipe_names(CHAT))
    result.add_argument("--recipe", default="llama2", help=f"{names}, or your own .yaml (default: llama2)")
    result.add_argument("--output", required=True, type=local_path, help="directory to write; what is there goes on")
    result.add_argument(
        "--template", help="chat template, a name or .yaml; default: the one that the model was trained with"
    )
    result.add_argument("--keys", action="store_true", help="list the keys of the recipe, and end")
    result.add_argument("overrides", nargs="*", metavar="section.key=value", help="any key of the recipe (--keys)")
    return result


def add_judged(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of a command whose model answers prompts and whose answers reward models judge."""
    add = parser.add_argument
    add("--reward", required=True, type=local_path, help="the reward model (of trainer_bridge.chat.reward)")
    add("--safety-reward", type=local_path, metavar="REWARD", help="one for safety, which decides where it counts")
    add("--prompts", required=True, nargs="+", metavar="CORPUS", help="conversations or pairs: what is answered")
    add("--safety-prompts", nargs="+", default=[], metavar="CORPUS", help="such that may elicit unsafe answers")


def parse(
    parser: argparse.ArgumentParser, section: str, arguments: Sequence[str] | None = None
) -> tuple[argparse.Namespace, ChatConfig]:
    """Reads a command line and the recipe that it names; ``--keys`` ends the command.

    Args:
        parser: from ``chat_parser``.
        section: whose keys ``--keys`` lists.
        arguments: the command line; that of the process where None.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "--keys" in words:  # like --help, it needs none of the flags that must be given
        known = argparse.ArgumentParser(add_help=False)
        known.add_argument("--recipe", default="llama2")
        options, rest = known.parse_known_args(words)
        config = load_chat(options.recipe, [word for word in rest if OVERRIDE.match(word)])
        keys = (key for key in recipe_keys(ChatConfig, config) if key.path.startswith((f"{section}.", "device.")))
        sys.stdout.write(listing(keys))
        parser.exit()
    # Overrides may stand anywhere: behind a flag of several paths, too, which would take them for paths.
    overrides = [word for word in words if OVERRIDE.match(word)]
    options = parser.parse_intermixed_args([word for word in words if not OVERRIDE.match(word)])
    return options, load_chat(options.recipe, overrides + options.overrides)
