"""Rules over books: Project Gutenberg's headers and trailers, layout, and whether a file is a text at all."""
