"""The template of a chat model: beside its shards, then in its run's folder, then in what is exported."""

from pathlib import Path

from tokenizer.chat.template import Template, TemplateError, load_template
from trainer_bridge.errors import TrainerError

NAME = "template.yaml"


def find_template(given: str | None, *folders: Path) -> Template | None:
    """The template that the user names, by a name or a path, else the first ``template.yaml`` in the folders.

    Raises:
        TrainerError: It cannot be used.
    """
    found = given or next((str(folder / NAME) for folder in folders if (folder / NAME).is_file()), None)
    if found is None:
        return None
    try:
        return load_template(found)
    except TemplateError as error:
        raise TrainerError(str(error)) from error
