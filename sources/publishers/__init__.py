"""What publishers have: their own listings, read into units of raw data from which a build takes a slice.

One module a publisher; each has the keys that a recipe gives it, and ``units``.
"""
