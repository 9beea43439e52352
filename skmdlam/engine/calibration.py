"""A name that stored models of 0.1.0.dev0 use."""

from .regularization import Regularization as Strengths

__all__ = ["Strengths"]
