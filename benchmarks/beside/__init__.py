"""This project beside its peers: the same work on the same input, in turn, on this machine."""
