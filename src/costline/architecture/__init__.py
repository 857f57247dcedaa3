"""What one forward pass must do, as counts; not how fast a chip is."""
