import pytest

from pipeline.errors import InputError, OutputError, UserError, user_message

WORKER_TRACEBACK = """Traceback (most recent call last):
  File "apache_beam/runners/common.py", line 1498, in process
  File "process.py", line 89, in write_shard
    sink.finish()
pipeline.errors.OutputError: cannot write /data/a.parquet: No space left on device. Free space or choose
another --output. [while running 'Filter and write/Filter (language) and write']

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
RuntimeError: something else
"""


def wrapped(error: Exception) -> Exception:
    """As the local runner wraps what a step raises: another class, the error as its cause."""
    try:
        raise RuntimeError("bundle failed") from error
    except RuntimeError as outer:
        return outer


def raised_while_handling(error: Exception) -> Exception:
    try:
        raise error
    except UserError:
        try:
            raise ValueError("and then") from None
        except ValueError as outer:
            outer.__context__ = error
            return outer


def test_all_kinds_are_user_errors():
    kinds = {kind.__name__ for kind in UserError.__subclasses__() if kind.__module__ == UserError.__module__}
    assert kinds == {"RecipeError", "InputError", "ModelError", "OutputError", "StoreError"}


@pytest.mark.parametrize("wrap", [lambda error: error, wrapped, raised_while_handling])
def test_the_message_is_found_in_whatever_wraps_it(wrap):
    assert user_message(wrap(InputError("the file is gone"))) == "the file is gone"


def test_beams_addition_is_left_out():
    error = OutputError("cannot write a: full. Free space. [while running 'Filter and write/Write']")
    assert user_message(error) == "cannot write a: full. Free space."


def test_a_message_that_came_as_a_workers_traceback():
    expected = "cannot write /data/a.parquet: No space left on device. Free space or choose\nanother --output."
    assert user_message(RuntimeError(WORKER_TRACEBACK)) == expected


def test_a_message_at_the_very_end_of_a_traceback():
    assert user_message(RuntimeError("Traceback ...\npipeline.errors.InputError: it changed")) == "it changed"


def test_other_errors_have_no_message_for_the_user():
    assert user_message(ValueError("a bug")) is None
    assert user_message(wrapped(KeyError("a bug"))) is None
