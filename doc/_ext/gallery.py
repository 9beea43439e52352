"""The order of the gallery."""

from sphinx_gallery.sorting import FileNameSortKey

# From simple to special.
ORDER = (
    "plot_quickstart",
    "plot_data_frame",
    "plot_comparison",
    "plot_units",
    "plot_grid_search",
    "plot_columns",
    "plot_regularization_path",
    "plot_sparse_nonnegative",
    "plot_robust_regression",
    "plot_several_networks",
    "plot_stream",
    "plot_dask",
    "plot_deep_sigmoid",
    "plot_rho_epsilon",
    "plot_citation_graph",
)


class SimpleFirst(FileNameSortKey):
    """By the order above, then by name."""

    def __call__(self, filename):
        """Return what to sort an example by."""
        stem = filename.removesuffix(".py")
        return ORDER.index(stem) if stem in ORDER else len(ORDER), filename
