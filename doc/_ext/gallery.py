"""The order of the gallery."""

from sphinx_gallery.sorting import FileNameSortKey


class QuickstartFirst(FileNameSortKey):
    """By name, after the one that everybody should see first."""

    def __call__(self, filename):
        """Return what to sort an example by."""
        return filename != "plot_quickstart.py", filename
