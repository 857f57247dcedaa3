"""Reads results of real systems, fits what the physics takes as given, and says how far predictions are off."""
