"""tifffile's zarr store, made to stay closed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tifffile.zarr import ZarrTiffStore

if TYPE_CHECKING:
    from tifffile import TiffPageSeries
    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype


class TiffStore(ZarrTiffStore):
    """Zarr group of the levels of a series, in the axes of the file.

    Once a chunk turns out to be damaged, zarr gives up a read but lets the rest of its chunks
    be fetched in the background; tifffile would open the files again for them, after they have
    been closed, and leave them open.

    Parameters
    ----------
    series : tifffile.TiffPageSeries
        With its pages loaded; its files may be closed.
    """

    def __init__(self, series: TiffPageSeries) -> None:
        super().__init__(series, multiscales=True, squeeze=False, read_only=True)
        # Reentrant, as a collection of garbage in the midst of it may close the store.
        self._lock = threading.RLock()
        self._n_reading = 0
        self._is_closed = False

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Fetch and decode a chunk."""
        with self._lock:
            if self._is_closed:
                raise ValueError("the stack has been closed")
            self._n_reading += 1
        try:
            return await super().get(key, prototype, byte_range)
        finally:
            with self._lock:
                self._n_reading -= 1
                self._close_when_idle()

    def close(self) -> None:
        """Fetch no more chunks, and close the files once those on their way are there."""
        with self._lock:
            self._is_closed = True
            self._close_when_idle()

    def _close_when_idle(self) -> None:
        if self._is_closed and self._n_reading == 0:
            super().close()
