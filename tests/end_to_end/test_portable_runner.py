"""The pipeline through a job service in another process, with workers that have the project only by its sdist.

This is what shows that it starts on Dataflow or Flink: nothing reaches a worker but the graph, the options and the
staged package.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAMPLE = str(ROOT / "samples" / "commoncrawl" / "*.warc.wet.gz")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def wait_for(port: int, process: subprocess.Popen) -> None:
    for _ in range(300):
        assert process.poll() is None, "the service ended"
        with socket.socket() as probe:
            if probe.connect_ex(("localhost", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"nothing listens on port {port}")


@pytest.fixture
def sdist(tmp_path: Path) -> Path:
    """The project's source archive, made from a copy of the tracked files."""
    copy = tmp_path / "source"
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run([sys.executable, "setup.py", "-q", "sdist", "--dist-dir", str(tmp_path)], cwd=copy, check=True)
    return next(tmp_path.glob("*.tar.gz"))


@pytest.fixture
def services(tmp_path: Path):
    """A worker pool whose workers see the dependencies but not this checkout, and a job service; their ports."""
    import apache_beam

    dependencies = Path(apache_beam.__file__).parents[1]
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    site = next(bare.glob("lib/python*/site-packages"))
    (site / "dependencies.pth").write_text(f"{dependencies}\n")  # a path added so has its own .pth files ignored
    elsewhere = tmp_path / "a" / "b" / "c"
    elsewhere.mkdir(parents=True)
    for name in ("worker.sh", "boot.py"):
        shutil.copy(ROOT / "pipeline" / "engine" / name, elsewhere)
    packages = tmp_path / "worker"
    packages.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= {"TMPDIR": str(packages), "LLAMA_CORPUS_PYTHON": str(bare / "bin" / "python")}
    pool_port, job_port = free_port(), free_port()
    runners = "apache_beam.runners"
    commands = [
        [
            f"{runners}.worker.worker_pool_main",
            f"--service_port={pool_port}",
            f"--container_executable={elsewhere}/worker.sh",
        ],
        [f"{runners}.portability.local_job_service_main", f"--port={job_port}", f"--staging_dir={tmp_path}/staging"],
    ]
    log = (tmp_path / "services.log").open("wb")
    started = [
        subprocess.Popen([str(bare / "bin/python"), "-m", *c], cwd=packages, env=environment, stdout=log, stderr=log)
        for c in commands
    ]
    try:
        wait_for(pool_port, started[0])
        wait_for(job_port, started[1])
        command = [str(bare / "bin/python"), "-c", "import pipeline"]
        probe = subprocess.run(command, cwd=packages, env=environment, capture_output=True, check=False)
        assert probe.returncode != 0, "the workers see the project without its sdist"
        yield pool_port, job_port, packages
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(20)
        log.close()


def make(output: Path, *flags: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "sources.commoncrawl", "--input", SAMPLE, "--output", str(output), "--quiet", *flags],
        cwd=ROOT,
        check=True,
        timeout=300,
    )


def outputs(corpus: Path) -> dict[str, bytes]:
    files = (p for p in corpus.rglob("*") if p.suffix == ".parquet" or p.parent.name == "_stats")
    return {str(p.relative_to(corpus)): p.read_bytes() for p in files}


def test_job_service_workers_with_only_the_sdist_give_the_local_runs_bytes(tmp_path, sdist, services):
    pool_port, job_port, packages = services
    make(tmp_path / "local", "--direct_num_workers", "1")
    make(
        tmp_path / "portable",
        "--runner=PortableRunner",
        f"--job_endpoint=localhost:{job_port}",
        "--environment_type=EXTERNAL",
        f"--environment_config=localhost:{pool_port}",
        f"--extra_package={sdist}",
    )
    assert list(packages.glob("*/site/pipeline/engine/graph.py"))
    expected = outputs(tmp_path / "local")
    assert len(expected) >= 12
    assert outputs(tmp_path / "portable") == expected
