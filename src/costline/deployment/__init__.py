"""Plans, the grid of them, feasibility, the Pareto front."""
