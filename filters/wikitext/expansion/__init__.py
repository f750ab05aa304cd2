"""Templates expanded from their own definitions, which a dump holds as pages of the Template namespace.

``Definitions`` is handed to ``to_text``. It is for templates that are plain wikitext with parser functions; those
written in Lua, and those in which anything is unknown, are left alone.
"""

from filters.wikitext.expansion.definitions import Definitions, template_names

__all__ = ["Definitions", "template_names"]
