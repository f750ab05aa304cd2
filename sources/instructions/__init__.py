"""Instructions and preferences: conversations that others published to tune models on, and pairs of answers.

``python -m sources.instructions``.
"""
