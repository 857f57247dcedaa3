"""costline: what a token costs, how fast it can be, and what to run to get it."""

__all__ = ["__version__"]

__version__ = "0.1.0"
