"""The formats of published instruction data: how each is told, and what its records hold.

A format knows its records as they are published, and cleans nothing.
"""
