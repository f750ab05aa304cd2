"""Wikipedia: the pages of its XML dumps, from wikitext to text, for any of its languages.

``python -m sources.wikipedia`` makes the source; ``python -m sources.wikipedia.references`` lists the URLs it cites.
"""
