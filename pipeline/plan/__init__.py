"""A whole corpus on paper: raw data, shards, workers, disk, hours and cost for a budget of tokens.

``recipe`` holds what is known of the sources, ``rates`` what was measured on a machine, ``estimate`` the arithmetic,
``command`` the tables. Nothing is read but recipes and manifests.
"""
