"""CommonCrawl the CCNet way: line dedup, language, perplexity, then pages like those that Wikipedia cites.

``python -m sources.commoncrawl`` makes the source; ``python -m sources.commoncrawl.train_reference`` its classifier.
"""
