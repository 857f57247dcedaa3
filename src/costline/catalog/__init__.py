"""Facts with source and date, and nothing else."""
