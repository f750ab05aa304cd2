"""How good an answer is, by its votes, and which answers of a question make pairs.

Source: Askell et al. 2021, A General Language Assistant as a Laboratory for Alignment (arXiv:2112.00861), appendix on
preference model pretraining: the rounded logarithm to the base 2 of 1 and the votes, 1 more for the accepted answer, -1
for one with negative votes. At most ten pairs of a question, as StackLLaMA took them.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import xxhash

from sources.stackexchange.posts import Post
from sources.stackexchange.recipe import PreferencesRecipe

UNPOPULAR = -1


class Scored(NamedTuple):
    """An answer and its score."""

    post: Post
    score: int
    accepted: bool


class Choice(NamedTuple):
    """Two answers of one question, the better one first."""

    better: Scored
    worse: Scored


def score_of(votes: int, accepted: bool) -> int:
    """The score of an answer with so many up-votes less down-votes."""
    if votes < 0:
        return UNPOPULAR
    return rounded_log2(1 + votes) + accepted


def rounded_log2(number: int) -> int:
    """The logarithm to the base 2 of a positive number, rounded; exact, and never in the middle between two."""
    return ((2 * number * number).bit_length() - 1) // 2


def choose(
    site: str, question: int, answers: Sequence[Post], accepted: int | None, recipe: PreferencesRecipe
) -> list[Choice] | str:
    """The pairs of a question's answers, or why there are none.

    Where there are more than the recipe wants, a hash of site and numbers draws them: the same in every run.

    Args:
        site: The site.
        question: The question's number.
        answers: The answers.
        accepted: The number of the accepted one; None where there is none.
        recipe: How many pairs, of which answers.
    """
    voted = [Scored(a, score_of(a.score, a.id == accepted), a.id == accepted) for a in answers if a.score is not None]
    if len(voted) < 2:
        return "one_answer" if voted else "no_answer"
    drawn = heapq.nsmallest(recipe.most_answers, voted, key=lambda one: _draw(site, question, one.post.id))
    pairs = [
        Choice(*sorted(two, key=lambda one: -one.score))
        for two in combinations(drawn, 2)
        if abs(two[0].score - two[1].score) >= recipe.min_difference
    ]
    if not pairs:
        return "like_scores"
    chosen = heapq.nsmallest(
        recipe.max_pairs, pairs, key=lambda pair: _draw(site, question, pair.better.post.id, pair.worse.post.id)
    )
    return sorted(chosen, key=lambda pair: (pair.better.post.id, pair.worse.post.id))


def _draw(site: str, *numbers: int) -> int:
    return xxhash.xxh3_64_intdigest("/".join([site, *map(str, numbers)]).encode())
