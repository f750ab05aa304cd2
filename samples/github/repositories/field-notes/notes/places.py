"""Names of places as they stand in the notes, and where they are.

The notes were kept by three people who spelled the same marsh in four ways.
"""

SPELLINGS = {
    "saltmarsh": "Salt Marsh",
    "salt-marsh": "Salt Marsh",
    "the-marsh": "Salt Marsh",
    "heronry": "Old Heronry",
}


def place(name):
    """The name of a place as the map has it."""
    return SPELLINGS.get(name.lower(), name.title())
