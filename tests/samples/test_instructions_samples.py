"""The sample of instruction data: made again into the same bytes."""

from pathlib import Path

from samples.make_instructions import main
from tests.samples.made import made_again

SAMPLES = Path(__file__).parents[2] / "samples" / "instructions"


def test_what_is_written_gives_the_bytes_that_lie_there(tmp_path, capsys):
    made = made_again(main, SAMPLES, tmp_path, capsys)
    assert {path.relative_to(SAMPLES) for path in SAMPLES.rglob("*") if path.is_file()} - made == {Path("written.yaml")}
    assert len(made) == 8
