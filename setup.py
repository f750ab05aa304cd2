"""Packaging of the corpus pipeline (pipeline, sources, filters, tokenizer) and its trainer (trainer_bridge).

The base install is what all parts share. ``[corpus]`` is what a Beam worker needs beside it, ``[train]`` what a
training machine needs, ``[chat]`` what reward models are trained with, ``[trackers]`` where metrics may go,
``[evaluation]`` what the papers' evaluations need; ``[report]`` draws the report's plots, ``[gcp]`` and ``[aws]`` add
the clouds, ``[hub]`` the Hugging Face hub, ``[dev]`` what ``make lint`` and ``make test`` call. ``[corpus-base]`` is
``[corpus]`` for who has fastText and KenLM of his own.
"""

from pathlib import Path

from setuptools import Extension, find_packages, setup

# What makes the corpus, but for the two libraries that many have installed already, from source or as other wheels.
CORPUS = [
    "apache-beam>=2.70",
    # Inflates small gzip members twice as fast as zlib; where there are no wheels, zlib does it, with the same bytes.
    "isal>=1.7; platform_machine in 'x86_64 AMD64 aarch64 arm64'",
    "langdetect>=1.0.9",
    "license-expression>=30.4",
    "licenseclassifier>=2026.7",
    "lxml>=6",
    "orjson>=3.9",
    "rich>=13",
    "tomli>=2; python_version < '3.11'",
    "xxhash>=3.4",
]

# fastText and KenLM as wheels, under their own import names: no compiler needed, Python 3.10 to 3.14.
WHEELS = ["fasttext-community>=0.11", "ufal-kenlm>=26"]

# A training machine needs these four, and torch; so they are all that the base install has.
SHARED = ["numpy>=1.26", "pyarrow>=16", "sentencepiece>=0.2", "PyYAML>=6"]

# Inner loops in C, called by ctypes: optional, for without a compiler all works and gives the same bytes, more slowly.
COMPILED = Extension(
    "filters.native._compiled",
    sources=[f"filters/native/{name}.c" for name in ("bpe", "lines", "ngrams", "normalize", "unigram", "words")],
    depends=["filters/native/native.h"],
    extra_compile_args=["-O3"],
    optional=True,
)

ROOMS = ("pipeline", "sources", "filters", "tokenizer", "trainer_bridge")

setup(
    name="llama-corpus",
    version="0.1.0",
    description="The LLaMA-1 training corpus, rebuilt as a program: raw dumps to token shards to a trained model.",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10",
    classifiers=[f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 15)],
    packages=[*find_packages(include=[f"{room}*" for room in ROOMS]), "recipes", "samples"],
    # Workers, too, find the embedded recipes and models: they have the project only through its source archive.
    ext_modules=[COMPILED],
    package_data={
        "recipes": ["*.yaml", "*/*.yaml", "*/*/*.yaml", "plan/*.json"],
        "samples": [
            "models/*",
            *(f"*/*.{kind}" for kind in ("gz", "bz2", "parquet", "7z", "json")),
            "books/gutenberg/**/*",
            "github/repositories/**/*",
            "instructions/hh-rlhf/**/*",
            "arxiv/bulk/*",
            "arxiv/eprints/**/*",
        ],
        "pipeline.engine": ["worker.sh"],
        "filters.native": ["*.h"],
        "filters.wikitext.editions": ["*.yaml"],
        "sources.github": ["*.sql"],
        "trainer_bridge.benchmark": ["suites/*.yaml", "tasks/*.yaml"],
        "pipeline.card": ["templates/*"],
        "pipeline.report": ["templates/*"],
    },
    install_requires=SHARED,
    extras_require={
        "corpus": [*CORPUS, *WHEELS],
        "corpus-base": CORPUS,
        "report": ["jinja2>=3.1", "plotly>=7"],
        "gcp": ["apache-beam[gcp]>=2.70"],
        "aws": ["apache-beam[aws]>=2.70"],
        "hub": ["huggingface_hub>=2.4", "datasets>=5.2"],  # hf:// inputs need the first alone; to publish needs both
        "train": ["torch>=2.11", "safetensors>=0.4"],
        "chat": ["torch>=2.11", "safetensors>=0.4", "transformers>=4.56.2", "trl>=1.10,<2"],  # reward models
        "evaluation": ["lm_eval>=0.4.13,<0.5"],
        "trackers": ["tensorboard>=2.16", "wandb>=0.17"],  # where the trainer's metrics go, if asked
        "dev": [
            "accelerate>=1",  # for lm-evaluation-harness's own model, that ours is compared with
            "boto3>=1.34",
            "datasets>=2.19",  # corpora and shards are opened with it
            "datasketch>=1.6",  # the independent MinHash that ours is compared with
            "fastwarc>=0.14",  # the independent reader that ours is compared with
            "hypothesis>=6",
            "moto[s3,server]>=5",
            "mypy>=1.10",
            "nltk>=3.8,<3.10",  # the independent Punkt that ours is compared with; 3.10 splits otherwise
            "playwright>=1.40",  # drives a Chromium that is on PATH; the tests of the report's page are skipped without
            "py7zr>=0.22",  # writes archives that ours must read
            "pytest>=8",
            "pytest-xdist>=3",
            "regex>=2024.4",  # the other engine, that re is compared with
            "ruff>=0.6",
            "tensorboard>=2.16",  # the metrics are read back with it
            "transformers>=4.40",  # the independent LLaMA that the trainer's is compared with
            "types-PyYAML",
        ],
    },
)
