"""Where Wikimedia's dumps are had from, and for which languages."""

DUMPS = "https://dumps.wikimedia.org/"  # keeps the dumps of the last months
ARCHIVE = "https://archive.org/download/"  # keeps those of all years, one item for each wiki and date
LLAMA = "llama20"  # the twenty languages of the paper, section 2.1
