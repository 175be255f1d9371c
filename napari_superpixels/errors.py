"""The error family.

Wrong arguments raise :class:`ValueError` or :class:`TypeError`; what goes wrong in the domain raises one of these.
"""


class SuperpixelsError(Exception):
    """Base of every error that this package raises on purpose."""


class CheckpointError(SuperpixelsError):
    """A model file is missing, truncated, foreign, of a newer format, or does not fit its architecture."""


class ModelNotFoundError(CheckpointError):
    """No installed model has the name asked for, and no file either."""


class MissingPackageError(SuperpixelsError, ImportError):
    """An optional package is needed for what was asked, and is not installed."""


class ImageError(SuperpixelsError, ValueError):
    """An image cannot be segmented: empty, of unusable dtype or shape, or with no valid pixel."""


class ReadError(SuperpixelsError):
    """A file or folder is missing, damaged, or holds something else than expected."""


class TrainingError(SuperpixelsError):
    """A training run cannot start, cannot go on, or went wrong."""


class WriteError(SuperpixelsError):
    """A result could not be written."""


class CancelledError(SuperpixelsError):
    """The computation was cancelled before it finished."""
