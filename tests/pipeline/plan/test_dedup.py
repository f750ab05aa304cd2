"""The arithmetic of exact dedup, beside what the exchange makes of such hashes."""

import numpy as np
import pytest

from pipeline.engine.exchange.blocks import HashBlock, pack_hashes
from pipeline.engine.exchange.grid import grid_of
from pipeline.plan.dedup import _need, dedup_needs
from pipeline.plan.estimate import estimate
from pipeline.plan.rates import Rates
from pipeline.plan.recipe import DedupFacts, PlanRecipe
from pipeline.recipe import RECIPES, load_recipe

FACTS = DedupFacts(raw_bytes_per_hash=40, reckoned_bytes=20, shard_megabytes=8, bytes_per_hash=16)


def test_a_hash_takes_what_its_block_takes():
    need = _need("c4", "URLs", "all", FACTS, 100)
    assert (need.hashes, need.partitions) == (20_000_000, grid_of(100, 8 * 10**8, 20).partitions)
    ones = np.ones(8_000, np.uint64)
    block = pack_hashes(HashBlock(0, np.array([len(ones)], np.uint32), ones, ones.astype(bool), ones))
    assert need.shuffled_bytes / need.hashes == pytest.approx(len(block) / len(ones) + 1 / 8, rel=0.01)
    assert need.held_bytes == need.hashes / need.partitions * 100


def test_shards_that_meet_in_groups_send_everything_twice():
    direct, grouped = (_need("c4", "URLs", "all", FACTS, shards) for shards in (200, 1_000))
    assert grouped.shuffled_bytes / grouped.hashes == 2 * direct.shuffled_bytes / direct.hashes


def test_every_scope_of_the_facts_is_within_the_memory_stated():
    facts = load_recipe(PlanRecipe, str(RECIPES / "plan" / "facts.yaml"))
    plan = estimate(1.4e12, dict.fromkeys(facts.sources, 1 / len(facts.sources)), facts, Rates())
    needs = list(dedup_needs(plan.needs, facts.sources))
    assert {need.source for need in needs} == {"commoncrawl", "c4", "github", "wikipedia"}
    assert all(need.held_bytes < 0.8e9 for need in needs)
