"""Every error the package raises on purpose.

All are `GmffError`, and none is a `RuntimeError`: napari's generator workers swallow
`RuntimeError` with a mere warning (superqt 0.9), which would leave a window waiting for ever.
Each message is one sentence that names the file or parameter, the rule, and what was found.
"""


class GmffError(Exception):
    """Base of all errors raised on purpose; the command line prints it and exits with 2."""


class SourceError(GmffError, ValueError):
    """A stack cannot be read, or is not one this program can fuse."""


class ParameterError(GmffError, ValueError):
    """A parameter is outside its limits or does not fit the stack."""


class OutputError(GmffError, OSError):
    """A result cannot be written, or would replace something that exists."""


class ResumeError(GmffError, ValueError):
    """Unfinished work cannot be continued: it is in use, damaged, or of another run."""


class WeightsError(GmffError, ValueError):
    """A weights file is missing, damaged, unsafe, or of another network."""


class DownloadError(WeightsError):
    """A download broke off or delivered something else than was asked for."""


class DeviceError(GmffError):
    """The processor asked for is not there, or ran out of memory."""


class FusionCancelled(GmffError):
    """The run was told to stop; nothing is left behind but unfinished work that was asked for."""


class ConsentError(GmffError):
    """Generative restoration, or the licence of a model for it, was not agreed to."""


class RestorationCancelled(GmffError):
    """The restoration was told to stop; nothing is left behind."""
