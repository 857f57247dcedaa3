"""Published models, one per module, each with its own quirks, so that none leaks into the main physics.

Every module here offers `tables() -> list[Table]` and `figures() -> list[FigureData]` (see `cells`).
Importing this package imports none of them.
"""
