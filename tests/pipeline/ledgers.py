"""Ledgers of a few documents."""

from pipeline.corpus.ledger import Ledger


def reading(entered: tuple[int, int], left: tuple[int, int] = (0, 0)) -> Ledger:
    """A ledger of the step read alone: how many documents and characters came to it, and how many went on."""
    ledger = Ledger()
    step = ledger.step("read")
    step.entered.add(*entered)
    step.left.add(*left)
    return ledger
