"""The output layer of a fastText classifier for many documents at once: from logits to log-probabilities.

Both layers follow what fastText prints, not what the formula says: a probability ``p`` leaves the library as
``exp(log(p + 1e-5))``, and hierarchical softmax adds 1e-5 at every node of the path.

Source: fastText 0.9.3, ``loss.cc`` (``std_log``, ``SoftmaxLoss``, ``HierarchicalSoftmaxLoss``).
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from filters.fasttext.format import MAX_COUNT, ModelFile

Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# loss.cc, std_log.
LOG_FLOOR = 1e-5


class Output(Protocol):
    """What both output layers offer.

    Attributes:
        weights: One row per logit, shape (logits, dim).
        reach: Per label, what an error of one in the norm of the document vector can at most change in each
            logit on the way to the label, shape (labels,). The log-probability changes by at most
            ``reach * error * -log(p)``.
        steps: Per label, how many roundings (of up to four units each) the library makes on the way, shape (labels,).
    """

    weights: Array
    reach: Array
    steps: Array

    def log_probabilities(self, logits: Array) -> Array:
        """From logits, shape (logits, documents), to log-probabilities, shape (labels, documents)."""
        ...


def output_of(model: ModelFile, weights: Array) -> Output:
    """The output layer of a model with ``softmax`` or ``hs`` loss."""
    return HierarchicalSoftmax(weights, model.label_counts) if model.loss == "hs" else Softmax(weights)


class Softmax:
    """One logit per label. See :class:`Output`."""

    def __init__(self, weights: Array) -> None:
        self.weights = weights
        labels = len(weights)
        # d log(p_i) = (1 - p_i) d_i - sum of p_j d_j over the others: at most 2 (1 - p_i) max|d| <= -2 log(p_i) max|d|.
        self.reach = np.full(labels, 2 * np.linalg.norm(weights, axis=1).max())
        # The library sums one exponential per label in float32.
        self.steps = np.full(labels, (labels + 8) / 2)

    def log_probabilities(self, logits: Array) -> Array:
        """From logits, shape (labels, documents), to log-probabilities of the same shape."""
        exponentials = np.exp(logits - logits.max(axis=0))
        result: Array = np.log(exponentials / exponentials.sum(axis=0) + LOG_FLOOR)
        return result


class HierarchicalSoftmax:
    """One logit per inner node of a Huffman tree over the labels. See :class:`Output`.

    Nodes are kept level by level, so that one level's scores follow from those above by one look-up and one sum.
    """

    def __init__(self, weights: Array, label_counts: IntArray) -> None:
        labels = len(label_counts)
        self.weights = weights[: labels - 1]
        # Per level below the root, the place of each node's parent in the level above.
        self._parents: list[IntArray] = []
        edges, order = [], [np.array([2 * labels - 2])]
        children = np.array(huffman_tree([int(count) for count in label_counts]))
        while (inner := np.flatnonzero(order[-1] >= labels)).size:
            below = order[-1][inner] - labels
            self._parents.append(np.concatenate((inner, inner)))
            # Number of the edge: the parent's number for the left child, and behind all of these for the right one.
            edges.append(np.concatenate((below, below + labels - 1)))
            order.append(children[:, below].reshape(-1))
        self._edges = np.concatenate(edges)
        place = np.argsort(np.concatenate(order))
        self._leaves = place[:labels]
        norms = np.tile(np.linalg.norm(self.weights, axis=1), 2)[self._edges]
        reach, steps = [np.zeros(1)], [np.zeros(1)]
        for parents, edge in self._by_level(norms):
            reach.append(np.maximum(reach[-1][parents], edge))
            steps.append(steps[-1][parents] + 1)
        self.reach, self.steps = np.concatenate(reach)[self._leaves], np.concatenate(steps)[self._leaves]

    def _by_level(self, edges: Array) -> Iterator[tuple[IntArray, Array]]:
        """(each node's parent, what belongs to the edge to it) per level below the root."""
        begin = 0
        for parents in self._parents:
            yield parents, edges[begin : begin + len(parents)]
            begin += len(parents)

    def log_probabilities(self, logits: Array) -> Array:
        """From logits, shape (labels - 1, documents), to log-probabilities, shape (labels, documents)."""
        with np.errstate(over="ignore"):
            right = 1 / (1 + np.exp(-logits))
        edges = np.log(np.concatenate((1 - right, right)) + LOG_FLOOR).take(self._edges, axis=0)
        scores = [np.zeros((1, logits.shape[1]))]
        for parents, edge in self._by_level(edges):
            scores.append(scores[-1].take(parents, axis=0) + edge)
        return np.concatenate(scores).take(self._leaves, axis=0)


def huffman_tree(counts: list[int]) -> tuple[list[int], list[int]]:
    """The tree that fastText builds over labels which are sorted by falling count.

    Args:
        counts: Occurrences per label. Labels are the nodes 0 to ``len(counts) - 1``; inner nodes follow, the root last.

    Returns:
        Left and right child of each inner node.

    Source: fastText 0.9.3, ``HierarchicalSoftmaxLoss::buildTree``.
    """
    labels = len(counts)
    weight = [*counts, *[MAX_COUNT] * labels]
    left, right = [], []
    leaf, inner = labels - 1, labels
    for number in range(labels, 2 * labels - 1):
        pair = []
        for _ in range(2):
            if leaf >= 0 and weight[leaf] < weight[inner]:
                pair.append(leaf)
                leaf -= 1
            else:
                pair.append(inner)
                inner += 1
        weight[number] = weight[pair[0]] + weight[pair[1]]
        left.append(pair[0])
        right.append(pair[1])
    return left, right
