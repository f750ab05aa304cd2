"""Books: Project Gutenberg without its boilerplate, and Books3 where the user has it; near duplicates removed.

``python -m sources.books`` makes the source.
"""
