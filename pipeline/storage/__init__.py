"""Where files lie: local paths, object stores, and web addresses through a cache."""
