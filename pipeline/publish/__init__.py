"""A corpus and its token shards as a data set repository, in a folder or on the Hugging Face hub."""
