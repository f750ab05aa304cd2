"""How the language models of perplexity are trained where nothing else is said."""

DOCUMENTS = 1_000_000  # CCNet, Makefile: NDOC_FOR_LM
VOCAB_SIZE = 65_536  # CCNet, Makefile: VOCAB_SIZE
ORDER = 5  # CCNet, Makefile: lmplz -o 5
# Text given to SentencePiece: about a million openings. The trainer takes some twenty times as much memory.
SENTENCEPIECE_BYTES = 500_000_000

STRUCTURES = {
    "probing": ["probing"],  # CCNet: the default of build_binary; fastest, largest
    "trie": ["trie"],
    "trie-quantized": ["-q", "8", "-b", "8", "-a", "255", "trie"],  # smallest; probabilities in 256 steps
}
