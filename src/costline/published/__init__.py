"""Published models, one per module, each reproduced with its own quirks; none of them leaks into the main physics.

Every module here offers `tables() -> list[Table]` and `figures() -> list[FigureData]` (see `cells`).
Importing this package imports none of them.
"""
