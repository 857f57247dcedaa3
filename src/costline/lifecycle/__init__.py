"""The life of a model: what it costs to train, adapt, compress and serve, and when one outweighs the other."""
