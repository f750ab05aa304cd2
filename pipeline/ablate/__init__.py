"""What a change of the recipe is worth: arms that differ from a baseline in a few keys, trained and judged alike.

``recipe`` is the experiment, ``keys`` what an override of an arm means, ``arms`` which stages it touches, ``folder``
what lies where, ``sharing`` how the rest is shared, ``heldout`` the documents that all are judged on, ``damage`` the
arm that must be found worse, ``run`` the whole, ``statistics`` what a difference is, ``results`` and ``page`` what is
told of it. Commands are called as a user types them: an arm is a folder of ``pipeline.build``, a run one of the
trainer.
"""
