"""The report of a corpus: what each source read, kept and dropped, how it is distributed, what the mixture holds.

It reads manifests, stats and Parquet, a bounded sample of the latter, and writes one HTML page that needs no network.
"""
