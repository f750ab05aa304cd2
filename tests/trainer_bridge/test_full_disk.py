"""A disk that takes nothing more: libraries say so in errors of their own, a user reads one line."""

import pytest
import torch
from safetensors.torch import save_file

from tests.pipeline.small_disk import small_files
from trainer_bridge.errors import TrainerError, run_command
from trainer_bridge.run_folder import RunFolder
from trainer_bridge.single import write_checkpoint

WEIGHTS = {"a": torch.zeros(1 << 16)}


@pytest.mark.parametrize("write", [save_file, torch.save])
def test_one_line_says_so(tmp_path, write, capfd):
    def main():
        with small_files(1 << 16):
            write(WEIGHTS, str(tmp_path / "a"))

    with pytest.raises(SystemExit) as ended:
        run_command(main)
    assert ended.value.code == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert line.endswith("Free space or choose another place, then run it again.")


def test_another_error_keeps_its_traceback():
    def main():
        raise RuntimeError("unexpected pos")

    with pytest.raises(RuntimeError, match="unexpected pos"):
        run_command(main)


def test_a_checkpoint_is_whole_or_not_there(tmp_path):
    target = RunFolder(tmp_path / "run", "trainer_bridge.chat.ppo")
    with small_files(1 << 16), pytest.raises(TrainerError, match=r"step-000000003 could not be written: .* Free space"):
        write_checkpoint(target, 3, WEIGHTS, {})
    assert not list((tmp_path / "run").glob("checkpoints/*"))
    write_checkpoint(target, 3, WEIGHTS, {})
    target.close()
    assert [path.name for path in (tmp_path / "run").glob("checkpoints/*")] == ["step-000000003"]
