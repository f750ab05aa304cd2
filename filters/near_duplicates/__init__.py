"""Near duplicates of long texts: shingles, MinHash signatures, candidates, exact overlap."""
