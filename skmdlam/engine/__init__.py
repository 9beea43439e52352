"""The engine: block updates, solvers, and the sums over rows that they need."""
