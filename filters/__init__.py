"""Rules over text, without Beam, without knowledge of files or shards.
Given text, they return text, a score, or the reason why it goes."""
