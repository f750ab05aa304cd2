"""The SentencePiece tokenizer: training it on the corpus, and exact fast encoding of text to ids."""
