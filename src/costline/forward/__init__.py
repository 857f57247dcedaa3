"""Counts times rates: seconds."""
