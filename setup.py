"""Packaging of the corpus pipeline (pipeline, sources, filters, tokenizer) and its trainer (trainer_bridge).

The base install is what a Beam worker needs. ``[train]`` is what a GPU machine needs beside it; ``[gcp]`` and
``[aws]`` add the cloud file systems and runners; ``[dev]`` adds what ``make lint`` and ``make test`` call.
"""

from pathlib import Path

from setuptools import find_packages, setup

# A training machine needs these four and torch; a Beam worker needs the rest as well.
SHARED = ["numpy>=1.26", "pyarrow>=16", "sentencepiece>=0.2", "PyYAML>=6"]

ROOMS = ("pipeline", "sources", "filters", "tokenizer", "trainer_bridge")

setup(
    name="llama-corpus",
    version="0.1.0",
    description="The LLaMA-1 training corpus, rebuilt as a program: raw dumps to token shards to a trained model.",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    python_requires=">=3.10",
    packages=[*find_packages(include=[f"{room}*" for room in ROOMS]), "recipes", "samples"],
    # Workers, too, find the embedded recipes and models: they have the project only through its source archive.
    package_data={"recipes": ["*.yaml"], "samples": ["models/*", "*/*.warc.wet.gz"]},
    install_requires=SHARED,
    extras_require={
        "corpus": [
            "apache-beam>=2.60",
            "datasets>=2.19",
            "datasketch>=1.6",
            "fasttext>=0.9.3",
            "fastwarc>=0.14",
            "kenlm>=0.2",
            "orjson>=3.9",
            "regex>=2023.12",
            "rich>=13",
            "xxhash>=3.4",
            "zstandard>=0.22",
        ],
        "gcp": ["apache-beam[gcp]>=2.60"],
        "aws": ["apache-beam[aws]>=2.60"],
        "train": ["torch>=2.11", "safetensors>=0.4"],
        "dev": [
            "pytest>=8",
            "pytest-xdist",
            "hypothesis",
            "ruff",
            "mypy",
            "types-PyYAML",
            "moto[s3,server]>=5",
        ],
    },
)
