"""GitHub: source files of permissively licensed repositories, from exports of BigQuery, The Stack, folders and tars.

``python -m sources.github`` makes the source.
"""
