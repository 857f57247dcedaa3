"""Fits of the kernel models: readers of timed kernels, what they leave out and why, fits, hold-outs, transfers."""
