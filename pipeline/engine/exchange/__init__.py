"""How the hashes of a scope's shards meet, and what was decided of them finds its way back.

``grid`` cuts a scope into groups of shards and partitions of hashes, ``blocks`` packs arrays to bytes and files of
them, ``steps`` are the functions on blocks. Two exchanges carry the blocks between these: ``files`` through files of
the work folder, on one machine, and ``shuffle`` through the engine's own shuffle, on a cluster. The bytes are the same.
"""
