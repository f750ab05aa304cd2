"""The mixture: documents of all sources to token shards, in the recipe's proportions.

``python -m pipeline.mix`` does it in three steps, of which the first and the last are Beam pipelines.

1. ``token_files``: each Parquet file of the corpus is encoded once for a tokenizer, and the ids are kept beside the
   corpus, for every later mixture.
2. ``plan``: the tokens of each source are counted; budget, shares and epochs follow, and are printed and stored before
   anything is written. ``draw`` then says which tokens each shard takes.
3. ``shards``: each shard is written by one task, from its draw alone.

How the draw works. A source's documents, as they follow each other in its token files, are cut into blocks of whole
documents, about ``block_tokens`` long. An epoch is a seeded permutation of the blocks; the source's stream is one epoch
after the other. Shard k takes a range of each source's stream, and the ranges' ends are the cumulative quotas of the
shares, rounded to a token by largest remainder. So the shares hold, to a few tokens, in each shard and in any run of
first shards; within an epoch nothing comes twice; the fraction of an epoch at the end is a seeded subset; and what a
shard holds is known without looking at another one. In a shard the documents are shuffled, then the sources are
interleaved by how far each has come, so that the shares hold within the shard as well.

Blocks are what bounds the memory: a permutation of two thousand million documents does not fit, nor do as many reads of
one kilobyte each. The price is that the documents of a block, neighbours in the raw data, come in the same shard. A
source has at least 4,096 blocks (where it has as many documents: so a small source is permuted document by document)
and at most 4 million (100 MB of tables).

A document that the end of a range cuts in two goes on in the next shard, there with a bos of its own; that adds at most
one id for each source and shard. Rows of a shard overlap by one id, so that every id but the first of a shard is
predicted once. What does not fill a row at the end of a shard (fewer than twice as many ids as there are sources) and
of the budget (fewer than ``seq_len``) is not written.

Memory: the plan holds at most 150 MB for a source, whatever its size; a worker holds the ids of a shard once, 0.5 GB in
all for one of 65,536 rows, or a batch of texts with its ids. Disk: 2 bytes a token and 8 a document for the token
files, 2 bytes a token for the shards.
"""
