"""One file a question; the only composer."""
