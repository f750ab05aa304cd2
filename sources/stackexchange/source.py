"""The StackExchange source: one shard is one partition of a site's questions, each with all its answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import pyarrow as pa

from pipeline.corpus.document import Document, Refused
from pipeline.corpus.shard import Shard, read_json
from pipeline.source import OfRecipe
from pipeline.steps import DropShort, Step
from pipeline.storage.filesystem import InputFile
from sources.stackexchange.join import Joiner, Thread
from sources.stackexchange.plan import SitePlan, partition_number
from sources.stackexchange.recipe import StackExchangeRecipe
from sources.stackexchange.steps import DropUnanswered, ThreadToText
from sources.stackexchange.store import PartitionReader, SiteFiles

META = pa.struct(
    {
        "site": pa.string(),
        "question_id": pa.int64(),
        "title": pa.string(),
        "score": pa.int32(),
        "answer_scores": pa.list_(pa.int32()),  # in the order of the text, as all that follows
        "answer_ids": pa.list_(pa.int64()),
        "answer_offsets": pa.list_(pa.int64()),  # of their rows in Posts.xml
        "accepted": pa.int32(),  # the place of the accepted answer among them, from 0
        "tags": pa.list_(pa.string()),
        "authors": pa.list_(pa.string()),  # of the question, then of each answer: user number, or name
    }
)


@dataclass(frozen=True)
class StackExchange(OfRecipe):
    """The StackExchange data dump, as the paper used it.

    Attributes:
        recipe: The source's choices.
        plans: For each site how it is cut, and where its rows wait; it follows from the inputs and the recipe.
        files: For each site where its rows wait.
    """

    recipe: StackExchangeRecipe
    plans: Mapping[str, SitePlan] = field(default_factory=dict)
    files: Mapping[str, SiteFiles] = field(default_factory=dict)
    name: str = "stackexchange"
    meta: pa.StructType = META
    dedup: None = None

    def read(self, stream: BinaryIO, file: InputFile, counters: Counter[str]) -> Iterator[Document | Refused]:
        """Not used: no part of a raw file by itself makes documents."""
        raise NotImplementedError("the posts of a site are read by read_prepared, after prepare")

    def read_prepared(
        self, shard: Shard, counters: Counter[str], inputs: list[dict[str, Any]] | None
    ) -> Iterator[Document | Refused]:
        """Reads one partition of a site, and joins its questions with their answers."""
        yield from self.read_threads(shard, counters, inputs)

    def read_threads(
        self, shard: Shard, counters: Counter[str], inputs: list[dict[str, Any]] | None
    ) -> Iterator[Thread | Refused]:
        """The questions of a partition with their answers, and the rows that are in none."""
        plan, files = self.plans[shard.scope], self.files[shard.scope]
        path = plan.site.file.path
        limit = int(self.recipe.max_thread_megabytes * (1 << 20))
        bound = max(2 * int(self.recipe.partition_megabytes * (1 << 20)), 2 * limit)
        reader = PartitionReader(files, partition_number(shard), bound, limit)
        joiner = Joiner(self.name, plan.site.name, path, counters, self.recipe.questions)
        records = failed = 0
        for group in reader.groups():
            for item in joiner.join(group):
                records += 1
                failed += isinstance(item, Refused) and item.failed
                yield item
        if inputs is not None:
            inputs.append({"path": path, **read_json(files.checksum), "records": records, "failed": failed})

    def steps_after_dedup(self) -> list[Step]:
        """HTML to text, answers where they are asked for, length."""
        recipe = self.recipe
        unanswered: list[Step] = [] if recipe.keep_unanswered else [DropUnanswered()]
        return [ThreadToText(recipe.template), *unanswered, DropShort(recipe.min_characters)]

    def subset(self, document: Document) -> str:
        """The site."""
        return str(document.meta["site"])

    def describe(self) -> dict[str, Any]:
        """The recipe, but for what decides pairs alone."""
        return {"recipe": {key: value for key, value in self.whole_recipe().items() if key != "preferences"}}

    def whole_recipe(self) -> dict[str, Any]:
        """All keys of the recipe that decide what is made."""
        recipe: dict[str, Any] = super().describe()["recipe"]
        return recipe
