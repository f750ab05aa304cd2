"""Inner loops in C, for where NumPy and the libraries' own calls are the limit; compiled where there is a compiler.

Nothing depends on them: without them everything gives the same bytes, more slowly.
"""
