"""A Flink cluster: a job manager, task managers of one slot each, and Beam's job server before them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import ClassVar

from tools.engines import fetch
from tools.engines.cluster import HOST, SOON_WARM, Cluster, count_at
from tools.engines.processes import listens

# Jars of Beam's runner that the cluster has in its own version.
_CLUSTERS_OWN = ("flink-", "slf4j-", "log4j-")
# The job server sends the cluster all of its class path with each job: 150 MB, and 15 seconds. The cluster has Beam's
# jars, so they stand in the boot class path here, which is not sent; these cannot, for they ask for their class loader.
_SENT = re.compile(r"beam-runners-flink-.*|flink-(?!shaded-|rpc-akka-).*")
_NOT_NEEDED = "flink-rpc-akka-"  # by who talks to the cluster's web interface
# A task that fails begins anew so often before the job fails; a lost task manager is one failure.
_CONFIGURATION = """\
restart-strategy:
  type: fixed-delay
  fixed-delay:
    attempts: 8
    delay: 2 s
heartbeat:
  interval: 3000
  timeout: 15000
slot.request.timeout: 30000
resourcemanager.standalone.start-up-time: 30000
parallelism.default: {workers}
jobmanager:
  bind-host: {host}
  rpc: {{address: {host}, port: {rpc}}}
  memory.process.size: 1g
taskmanager:
  bind-host: {host}
  host: {host}
  numberOfTaskSlots: 1
  memory.process.size: 1536m
rest: {{address: {host}, bind-address: {host}, port: {rest}, bind-port: '{rest}'}}
io.tmp.dirs: {tmp}
classloader.resolve-order: parent-first
env.java.opts.all: {warm} {opens}
"""


class Flink(Cluster):
    """Flink 1.19 with Beam's runner in its class path, so that no job carries the runner along."""

    name = "flink"
    worker = "taskmanager"
    own_ports: ClassVar = {"job server": 8099, "artifact service": 8098, "web interface": 8081, "job manager": 6123}

    def parts(self) -> dict[str, str]:
        """The job manager, the task managers, the job server."""
        managers = {f"taskmanager-{number + 1}": "task manager" for number in range(self.workers)}
        return {"jobmanager": "the job manager", **managers, "jobserver": "Beam's job server"}

    def flags(self, ports: dict[str, int]) -> list[str]:
        """The job server's address, and that of the web interface, which tells of restarts."""
        return [
            "--runner PortableRunner",
            f"--job_endpoint {HOST}:{ports['job server']}",
            f"--flink_master {HOST}:{ports['web interface']}",
            f"--parallelism {self.workers}",
        ]

    def launch(self, ports: dict[str, int]) -> None:
        """Starts the managers, then the job server."""
        java = fetch.java()
        jars = fetch.runner(self.setting.cache, self.name)
        home = self._home(fetch.distribution(self.setting.cache, fetch.FLINK) / "pyflink", jars)
        environment = self._configure(home, java, ports)
        run = self.processes
        run.start("jobmanager", [str(home / "bin" / "jobmanager.sh"), "start-foreground"], environment)
        managers = [name for name in self.parts() if name.startswith("taskmanager")]
        for name in managers:
            run.start(name, [str(home / "bin" / "taskmanager.sh"), "start-foreground"], environment)
        run.start("jobserver", self._job_server(java, jars, ports))
        rest = ports["web interface"]
        run.wait("jobmanager", lambda: _slots(rest) is not None, "Flink's job manager")
        for number, name in enumerate(managers):
            run.wait(name, lambda wanted=number + 1: (_slots(rest) or 0) >= wanted, f"Flink's {name}")  # type: ignore[misc]
        run.wait("jobserver", lambda: listens(ports["job server"]), "Beam's job server")

    def _home(self, distribution: Path, jars: Path) -> Path:
        """A Flink home of links, with the jars of Beam's runner among Flink's own."""
        home = self.setting.state / "home"
        shutil.rmtree(home, ignore_errors=True)
        (home / "lib").mkdir(parents=True)
        for name in ("bin", "plugins", "opt"):
            (home / name).symlink_to(distribution / name)
        beam = [jar for jar in jars.glob("*.jar") if not jar.name.startswith(_CLUSTERS_OWN)]
        for jar in (*(distribution / "lib").glob("*.jar"), *beam):
            (home / "lib" / jar.name).symlink_to(jar)
        return home

    def _configure(self, home: Path, java: str, ports: dict[str, int]) -> dict[str, str]:
        """Writes the configuration; gives the environment of Flink's scripts."""
        distribution = self.setting.cache / fetch.FLINK[0] / "pyflink"
        conf, tmp = self.setting.state / "conf", self.setting.state / "tmp"
        shutil.rmtree(conf, ignore_errors=True)
        shutil.copytree(distribution / "conf", conf)
        tmp.mkdir(exist_ok=True)
        lines = (conf / "config.yaml").read_text().splitlines()
        opens = next(
            line.partition("all:")[2].strip() for line in lines if line.strip().startswith("all: --add-exports")
        )
        text = _CONFIGURATION.format(
            workers=self.workers,
            host=HOST,
            rpc=ports["job manager"],
            rest=ports["web interface"],
            tmp=tmp,
            warm=SOON_WARM,
            opens=opens,
        )
        (conf / "config.yaml").write_text(text)
        return {
            "FLINK_HOME": str(home),
            "FLINK_LIB_DIR": str(home / "lib"),
            "FLINK_CONF_DIR": str(conf),
            "FLINK_LOG_DIR": str(self.setting.state / "log"),
            "FLINK_PID_DIR": str(tmp),
            "JAVA_HOME": str(Path(java).resolve().parents[1]),
        }

    def _job_server(self, java: str, jars: Path, ports: dict[str, int]) -> list[str]:
        names = [jar for jar in sorted(jars.glob("*.jar")) if not jar.name.startswith(_NOT_NEEDED)]
        sent = [str(jar) for jar in names if _SENT.fullmatch(jar.name)]
        kept = [str(jar) for jar in names if not _SENT.fullmatch(jar.name)]
        return [
            java,
            "-Xmx512m",
            SOON_WARM,
            f"-Xbootclasspath/a:{':'.join(kept)}",
            "-cp",
            ":".join(sent),
            "org.apache.beam.runners.flink.FlinkJobServerDriver",
            f"--job-host={HOST}",
            f"--job-port={ports['job server']}",
            f"--artifact-port={ports['artifact service']}",
            "--expansion-port=0",
            f"--artifacts-dir={self.setting.state / 'artifacts'}",
            f"--flink-master={HOST}:{ports['web interface']}",
        ]


def _slots(rest: int) -> int | None:
    """The slots of the cluster; None where its web interface does not answer."""
    return count_at(rest, "overview", "slots-total")
