"""Looking into a corpus from the terminal: documents kept and dropped, found by what is known of them.

It reads manifests, stats and Parquet; only ``--before-after`` goes back to the raw files, through the source's reader.
"""
