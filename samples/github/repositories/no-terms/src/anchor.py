"""The scope of an anchor chain: five times the depth, seven in a blow."""


def scope(depth, blowing=False):
    return depth * (7 if blowing else 5)
