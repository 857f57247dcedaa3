"""Requests over time: arrivals, queueing, latency metrics."""
