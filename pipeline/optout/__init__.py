"""Taking documents out of what is made: of a corpus, of its token files, of token shards, so that it can be proved.

``python -m pipeline.optout corpus/ shards/ --list removals.tsv --apply`` goes over folders in this order.

1. ``corpus``: each source's ids and addresses are looked through. A shard with listed documents is written again
   without them, its accounts with it; what of it was rejected loses its text.
2. ``token_files``: the ids of these documents are cut out of the token files.
3. ``shards``: in the rows of token shards their places are filled by other documents of the same source.

What each step does follows from the files alone. It is written beside them first, then listed in a journal, then moved
into place (``journal``): a command that was killed is ended by the same command. Steps 2 and 3 do not ask the list, but
what the corpus records of its changes, so token files and shards that were elsewhere can follow later.
"""
