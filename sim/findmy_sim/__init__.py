"""findmy-sim: an independent simulator of Apple's Find My servers and of an Anisette server."""

__version__ = "1.0.0"
