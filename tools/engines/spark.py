"""A Spark cluster: a master, workers of one core each, and Beam's job server before them."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from tools.engines import fetch
from tools.engines.cluster import HOST, SOON_WARM, Cluster, count_at
from tools.engines.processes import listens

# Java 17 keeps these shut, and Spark's own scripts open them (JavaModuleOptions of Spark).
_OPENED = (
    "lang",
    "lang.invoke",
    "lang.reflect",
    "io",
    "net",
    "nio",
    "util",
    "util.concurrent",
    "util.concurrent.atomic",
)
_OPENS = [
    *(f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in _OPENED),
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.cs=ALL-UNNAMED",
    "--add-opens=java.base/sun.security.action=ALL-UNNAMED",
    "--add-opens=java.base/sun.util.calendar=ALL-UNNAMED",
    "-Djdk.reflect.useDirectMethodHandle=false",
]
# Spark brings a Guava of its own, too old for Beam: these go before all of Spark's in its executors and its driver.
_FIRST = ("guava-[0-9]*.jar", "failureaccess-*.jar")
_SPARKS_OWN = ("slf4j-", "jackson-", "spark-", "scala-")
EXECUTOR_MEMORY = "1g"
KEPT_MILLISECONDS = 600_000  # a worker serves the next stage, too; otherwise each stage starts one, in 3 seconds


class Spark(Cluster):
    """Spark 3.5 as a cluster of its own ("standalone")."""

    name = "spark"
    worker = "worker"
    own_ports: ClassVar = {
        "job server": 8199,
        "artifact service": 8198,
        "web interface": 8180,
        "master": 7077,
        "driver's web interface": 4040,
    }

    def parts(self) -> dict[str, str]:
        """The master, the workers, the job server."""
        workers = {f"worker-{number + 1}": "a worker" for number in range(self.workers)}
        return {"master": "the master", **workers, "jobserver": "Beam's job server"}

    def flags(self, ports: dict[str, int]) -> list[str]:
        """The job server's address, and that its executors have Beam already."""
        jars = fetch.runner(self.setting.cache, self.name)
        small = next(jars.glob("failureaccess-*.jar"))  # instead of all of the job server's class path, with each job
        return [
            "--runner PortableRunner",
            f"--job_endpoint {HOST}:{ports['job server']}",
            f"--files_to_stage {small}",
            f"--environment_cache_millis {KEPT_MILLISECONDS}",
        ]

    def launch(self, ports: dict[str, int]) -> None:
        """Starts the master, the workers, then the job server."""
        java = fetch.java()
        jars = fetch.runner(self.setting.cache, self.name)
        home = fetch.distribution(self.setting.cache, fetch.SPARK) / "pyspark"
        environment = {
            "SPARK_HOME": str(home),
            "JAVA_HOME": str(Path(java).resolve().parents[1]),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_HOSTNAME": HOST,
            "SPARK_PUBLIC_DNS": HOST,
            "SPARK_WORKER_DIR": str(self.setting.state / "work"),
            "SPARK_DAEMON_MEMORY": "512m",
            "SPARK_DAEMON_JAVA_OPTS": SOON_WARM,
        }
        (self.setting.state / "work").mkdir(exist_ok=True)
        run, url = self.processes, f"spark://{HOST}:{ports['master']}"
        spark_class = str(home / "bin" / "spark-class")
        web = ["--webui-port", str(ports["web interface"])]
        master = ["--host", HOST, "--port", str(ports["master"]), *web]
        run.start("master", [spark_class, "org.apache.spark.deploy.master.Master", *master], environment)
        run.wait("master", lambda: _workers(ports["web interface"]) is not None, "Spark's master")
        workers = [name for name in self.parts() if name.startswith("worker")]
        for name in workers:
            size = ["--host", HOST, "--cores", "1", "--memory", EXECUTOR_MEMORY, "--webui-port", "0"]
            run.start(name, [spark_class, "org.apache.spark.deploy.worker.Worker", *size, url], environment)
        run.start("jobserver", self._job_server(java, home, jars, url, ports), environment)
        for number, name in enumerate(workers):
            run.wait(
                name,
                lambda wanted=number + 1: (_workers(ports["web interface"]) or 0) >= wanted,  # type: ignore[misc]
                f"Spark's {name}",
            )
        run.wait("jobserver", lambda: listens(ports["job server"]), "Beam's job server")

    def _job_server(self, java: str, home: Path, jars: Path, url: str, ports: dict[str, int]) -> list[str]:
        first = [str(jar) for pattern in _FIRST for jar in sorted(jars.glob(pattern))]
        beam = [str(jar) for jar in sorted(jars.glob("*.jar")) if not jar.name.startswith(_SPARKS_OWN)]
        settings = {
            "spark.executor.extraClassPath": ":".join([*first, *beam]),
            "spark.executor.extraJavaOptions": " ".join([SOON_WARM, *_OPENS]),
            "spark.executor.memory": EXECUTOR_MEMORY,
            "spark.executor.cores": "1",
            "spark.default.parallelism": str(self.workers),
            "spark.driver.host": HOST,
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.ui.port": str(ports["driver's web interface"]),
        }
        return [
            java,
            "-Xmx1g",
            SOON_WARM,
            *_OPENS,
            *(f"-D{key}={value}" for key, value in settings.items()),
            "-cp",
            ":".join([*first, f"{home}/jars/*", f"{jars}/*"]),
            "org.apache.beam.runners.spark.SparkJobServerDriver",
            f"--job-host={HOST}",
            f"--job-port={ports['job server']}",
            f"--artifact-port={ports['artifact service']}",
            "--expansion-port=0",
            f"--artifacts-dir={self.setting.state / 'artifacts'}",
            f"--spark-master-url={url}",
        ]


def _workers(web: int) -> int | None:
    """The workers that the master has; None where its web interface does not answer."""
    return count_at(web, "json/", "aliveworkers")
