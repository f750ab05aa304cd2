"""From a model that follows instructions to one that people prefer (Llama 2, section 3, arXiv 2307.09288).

Reward models, rejection sampling, PPO, and the data of Ghost Attention; recipes in ``recipes/chat``.
"""
