"""Lists of removals: what people asked to be left out, how a line of such a list is read, and which documents it means.

``pipeline.optout`` takes them out of what is made, the sources leave them out of what they make, and
``pipeline.verify --absent`` proves that they are gone.
"""
