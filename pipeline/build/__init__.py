"""The whole corpus by one recipe: fetches, makes the sources, the models, the mixture, and what is told of them.

``recipe`` is what a user writes, ``units`` the raw data in an order of which every beginning is a fair sample, ``need``
how much of it is taken, ``stages`` the commands and what each depends on, ``work`` the folder and its records,
``process`` one command with its log, ``fetching`` the files that come ahead, ``run`` the whole, ``status`` and
``paper`` (of a dry run) the tables. Stages know each other through files alone: each is a command as a user types it.
"""
