"""Rules over source files: which are read, under which licence, without notices, of what quality."""
