"""The Huffman tree and the log-probabilities, against fastText's recursion written out plainly."""

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.fasttext.output import HierarchicalSoftmax, Softmax, huffman_tree


def plain_leaves(counts: list[int], logits: list[float]) -> list[tuple[float, int, float]]:
    """(log-probability, depth, largest weight on the path) per label, as HierarchicalSoftmaxLoss::dfs finds them."""
    labels = len(counts)
    left, right = huffman_tree(counts)
    found: list[tuple[float, int, float]] = [(0.0, 0, 0.0)] * labels

    def descend(node: int, score: float, depth: int, weight: float) -> None:
        if node < labels:
            found[node] = score, depth, weight
            return
        number = node - labels
        value = 1 / (1 + math.exp(-logits[number]))
        weight = max(weight, number + 1.0)
        descend(left[number], score + math.log(1 - value + 1e-5), depth + 1, weight)
        descend(right[number], score + math.log(value + 1e-5), depth + 1, weight)

    descend(2 * labels - 2, 0.0, 0, 0.0)
    return found


@pytest.mark.parametrize(
    ("counts", "left", "right"),
    [
        # Labels 0, 1 are the leaves 0, 1 and the root is 2: the rarer label goes left.
        ([5, 3], [1], [0]),
        # The two rarest meet first (node 4); 4 weighs 3, as much as label 1, and of equals the inner node goes first.
        ([9, 3, 2, 1], [3, 4, 5], [2, 1, 0]),
        ([1, 1, 1, 1], [3, 1, 4], [2, 0, 5]),
        ([7], [], []),
    ],
)
def test_huffman_tree(counts, left, right):
    assert huffman_tree(counts) == (left, right)


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=60), st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_hierarchical_softmax_is_the_recursion(counts, seed):
    counts.sort(reverse=True)
    source = random.Random(seed)
    logits = [[source.gauss(0, 6) for _ in range(3)] for _ in counts[1:]]
    # Inner node n has a weight of norm n + 1.
    weights = np.zeros((len(counts), 2))
    weights[:-1, 1] = np.arange(1, len(counts))
    output = HierarchicalSoftmax(weights, np.array(counts))
    found = output.log_probabilities(np.array(logits))
    for column in range(3):
        leaves = plain_leaves(counts, [row[column] for row in logits])
        assert found[:, column] == pytest.approx([leaf[0] for leaf in leaves], abs=1e-9)
        assert output.steps.tolist() == [leaf[1] for leaf in leaves]
        assert output.reach.tolist() == [leaf[2] for leaf in leaves]
        # Each node adds 2e-5 to the sum of its branches.
        assert 1 <= np.exp(found[:, column]).sum() < 1 + 4e-5 * len(counts)


def test_softmax():
    output = Softmax(np.array([[3.0, 4.0], [0.0, 1.0]]))
    found = output.log_probabilities(np.array([[0.0, 1000.0], [math.log(3), 0.0]]))
    assert np.exp(found) == pytest.approx(np.array([[0.25001, 1.00001], [0.75001, 1e-5]]), abs=1e-9)
    assert output.reach.tolist() == [10.0, 10.0]
    assert output.steps.tolist() == [5.0, 5.0]


def test_huge_logits_give_no_warning():
    output = HierarchicalSoftmax(np.ones((3, 2)), np.array([3, 2, 1]))
    with np.errstate(all="raise", under="ignore"):
        found = output.log_probabilities(np.array([[-1e4, 1e4], [1e4, -1e4]]))
    assert np.isfinite(found).all()
