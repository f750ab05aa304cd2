"""Takes licence and copyright notices out of the comments at the top of source files, and nothing else.

``strip_notices`` does it; ``syntax`` says how each language writes comments, ``notice`` what a notice is.
"""

from filters.code.header.strip import Stripped, strip_notices

__all__ = ["Stripped", "strip_notices"]
