"""The tables of templates: one file an edition, with names as that edition has them, and what reads the files.

``template_table`` gives the table of one edition. The format of the files is told in ``common.yaml``.
"""

from filters.wikitext.editions.load import template_table

__all__ = ["template_table"]
