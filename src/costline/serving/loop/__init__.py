"""The simulator's event loop, compiled: one room a noun, all on the rows of `state`."""
