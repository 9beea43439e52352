"""What asv times from version to version: block updates, fits of three shapes, predictions.

BLAS runs on one thread, so that days and machines can be compared; it has to be told before NumPy
is imported, which is here.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
