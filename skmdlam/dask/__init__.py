"""The estimators for Dask collections, fitted by the workers of a client.

They need Dask, ``pip install "skmdlam[dask]"``, from the first collection on.
"""

from ._estimators import MDLAMClassifier, MDLAMRegressor

__all__ = ["MDLAMClassifier", "MDLAMRegressor"]

for _public in (MDLAMClassifier, MDLAMRegressor):
    _public.__module__ = __name__  # files name the class by it
