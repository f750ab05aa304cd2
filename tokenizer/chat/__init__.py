"""Conversations to ids, by a template that is data: what stands around the turns, and which ids the loss is on.

``template`` reads and checks templates, ``messages`` checks conversations, ``encode`` makes ids and masks.
"""
