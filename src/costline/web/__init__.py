"""The web application: parses a question, has a worker answer it, shows the answer. Computes nothing."""
