"""How commands end, whatever becomes of what they print."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONG = "for number in range(100_000): print(number)"


def ends(program: str, shell: str = "{}") -> subprocess.CompletedProcess[str]:
    """Runs a command whose main is the program, by a shell's command line in which it stands."""
    code = f"from pipeline.terminal import run_main\ndef main():\n    {program}\nrun_main(main)"
    line = shell.format(f'"{sys.executable}" -c "$CODE"')
    return subprocess.run(
        ["bash", "-c", line], cwd=ROOT, env={"CODE": code}, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    "program", [LONG, LONG.replace("print", "__import__('rich').print").replace("100_000", "9_000")]
)
def test_a_reader_that_has_seen_enough(program):
    done = ends(program, "{} | head -c 9; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stderr, len(done.stdout)) == (141, "", 9)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize(
    "program", [LONG, "print(1)", "import argparse; argparse.ArgumentParser().parse_args(['--help'])"]
)
def test_an_output_that_cannot_be_written(program):
    done = ends(program, "{} > /dev/full")
    assert done.stderr == "error: cannot write to the standard output: No space left on device\n"
    assert done.returncode == 1


def test_an_output_that_was_closed():
    done = ends("print(1); open('/dev/null', 'w').fileno() > 2 or exit(9); return 3", "{} >&- <&-")
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")


def test_a_failure_of_another_file_is_none_of_the_output():
    done = ends("raise OSError(28, 'No space left on device', 'x')")
    assert done.stderr.endswith("OSError: [Errno 28] No space left on device: 'x'\n")


def test_statuses_and_what_was_printed():
    done = ends("print('caf\\u00e9'); return 5")
    assert (done.returncode, done.stdout) == (5, "caf\u00e9\n")
    assert ends("raise KeyboardInterrupt").returncode == 130
    assert ends("import sys; sys.exit(4)").returncode == 4
    assert ends("pass").returncode == 0


def test_a_module_leaves_without_pythons_last_steps(tmp_path):
    (tmp_path / "leaving.py").write_text("from pipeline.terminal import run_module\nrun_module('left')\n")
    (tmp_path / "left.py").write_text(
        "import atexit, threading, time\n"
        "def main():\n"
        "    atexit.register(print, 'at the exit')\n"
        "    threading.Thread(target=time.sleep, args=(60,)).start()  # which Python would wait for\n"
        "    print('done')\n"
        "    return 7\n"
    )
    path = {"PYTHONPATH": f"{ROOT}:{tmp_path}"}
    done = subprocess.run(
        [sys.executable, "-m", "leaving"], env=path, capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "done\nat the exit\n", "")
