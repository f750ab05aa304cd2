import io

from rich.console import Console

from tokenizer.progress import Stage


def test_a_log_gets_a_line_when_a_stage_is_done():
    output = io.StringIO()
    with Stage(Console(file=output), "sampling", 10) as stage:
        stage.advance(4)
        stage.reach(20)
    assert output.getvalue() == "sampling: done\n"


def test_a_stage_that_fails_is_not_done():
    output = io.StringIO()
    try:
        with Stage(Console(file=output), "sampling", 10):
            raise ValueError
    except ValueError:
        assert output.getvalue() == ""


def test_a_terminal_gets_a_bar():
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=80, color_system=None)
    with Stage(console, "training", 10) as stage:
        stage.reach(5)
    assert "training" in output.getvalue()
    assert "50%" in output.getvalue()
