"""The same algorithm on arrays of a device: torch tensors and CuPy arrays."""
