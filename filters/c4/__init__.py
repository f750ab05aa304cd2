"""C4's rules: lines, sentences, URLs, bad words, language."""
