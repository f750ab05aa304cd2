"""C4: the published corpus as it is, or built anew from a crawl by the rules of the code that made it.

``python -m sources.c4 --from published`` and ``python -m sources.c4 --from wet``.
"""
