"""What stops macros that never end."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What stops macros that never end.

    Attributes:
        depth: expansions within one another.
        use: characters that one use in the text may grow to, all expansions within it counted.
        growth: characters that all expansions may make (and 20 for each), as a multiple of the characters read, plus
            ``slack``. Papers make 0 to 0.6 (measured on 27).
        work: characters looked at in search of the ends of arguments, likewise. Papers need 0 to 0.6.
        slack: characters allowed to every paper.
    """

    depth: int = 100
    use: int = 1_000_000
    growth: int = 10
    work: int = 10
    slack: int = 1_000_000
