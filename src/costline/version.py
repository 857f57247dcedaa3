"""Which costline this is: the one place that says it; the package's metadata are made from it."""

__version__ = "0.1.0"
