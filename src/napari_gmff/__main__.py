"""``python -m napari_gmff`` is the ``napari-gmff`` command."""

from __future__ import annotations

import sys

from napari_gmff.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
