"""Neural networks without back-propagation, with a scikit-learn interface."""
