"""IFControlNet at work: an image of any size, encoded, sampled, decoded, its colours put right."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from napari_gmff.errors import DeviceError, GmffError, ParameterError
from napari_gmff.network.devices import torch_scope
from napari_gmff.network.memory_ladder import is_lack_of_memory
from napari_gmff.restoration.diffusion.autoencoder import N_SAMPLES, TILE_PX, TiledAutoencoder
from napari_gmff.restoration.diffusion.contexts import checked_contexts
from napari_gmff.restoration.diffusion.denoiser import SteeredDenoiser
from napari_gmff.restoration.diffusion.fitting import LEAST_SIDE_PX, fit
from napari_gmff.restoration.diffusion.memory import TileLadder, sparing
from napari_gmff.restoration.diffusion.networks import Networks, networks_from_states
from napari_gmff.restoration.diffusion.schedule import make_scheduler, timesteps
from napari_gmff.restoration.diffusion.speed import (
    count_flop,
    device_for,
    measured_speed,
    tile_flop,
)
from napari_gmff.restoration.diffusion.tiling import n_tiles
from napari_gmff.restoration.diffusion.wavelet import with_low_band_of
from napari_gmff.restoration.restorer import StepDone

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.restoration.params import RestoreParams

_TILES_AT_ONCE_GPU = 4

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class IFControlNetRestorer:
    """Restores with IFControlNet, or DiffBIR v2 of the same layout; a `Restorer`.

    Parameters
    ----------
    networks : Networks
        Moved to the device; in the precision asked for, the autoencoder always in float32.
    contexts : mapping
        ``positive`` and ``negative`` embedded prompts, each (77, D); see `compute_contexts`.
    params : RestoreParams
        ``steps``, ``guidance``, ``strength``, ``start``, ``tile_px``, ``device``, ``allow_cpu`` and
        ``precision`` count here.
    facts : mapping
        ``name``, ``title`` and ``models`` for the record; see `Restorer`.
    least_side_px : int
        Smaller images are enlarged; see `fit`.
    tiles_at_once : int, optional
        Tiles in one batch; 4 on a GPU and 1 on a CPU where left out.

    Attributes
    ----------
    device : str
        Processor it runs on.

    Raises
    ------
    DeviceError
        If the device is not there, is a CPU without consent, or has not enough memory.
    WeightsError
        If the embedded prompts are not for this base model.
    """

    def __init__(
        self,
        networks: Networks,
        contexts: Mapping[str, Tensor],
        params: RestoreParams,
        facts: Mapping[str, Any],
        *,
        least_side_px: int = LEAST_SIDE_PX,
        tiles_at_once: int | None = None,
    ) -> None:
        contexts = checked_contexts(contexts, networks.context_shape)
        self._device = device_for(params)
        self._params = params
        self._least_side_px = least_side_px
        self._given_facts = dict(facts)
        self._dtype = _dtype_of(params.precision, self._device)
        self._networks = networks
        self._move_networks()
        self._autoencoder = TiledAutoencoder(networks.autoencoder, networks.latent_scale)
        self._denoiser = SteeredDenoiser(networks, contexts, params.guidance, params.strength)
        at_once = 1 if self._device.type == "cpu" else _TILES_AT_ONCE_GPU
        self._sampling = TileLadder("sampling", params.tile_px, tiles_at_once or at_once)
        self._coding = TileLadder("encoding and decoding", TILE_PX, N_SAMPLES, tells_batch=True)

    @classmethod
    def from_states(
        cls,
        base: Mapping[str, Tensor],
        control: Mapping[str, Tensor],
        contexts: Mapping[str, Tensor],
        params: RestoreParams,
        facts: Mapping[str, Any],
        *,
        head_channels: int | None = None,
        least_side_px: int = LEAST_SIDE_PX,
        tiles_at_once: int | None = None,
    ) -> IFControlNetRestorer:
        """Make one from two checkpoints in the authors' layouts.

        Parameters
        ----------
        base, control, head_channels
            See `networks_from_states`.
        contexts, params, facts, least_side_px, tiles_at_once
            See the class.

        Raises
        ------
        GmffError
            As `networks_from_states` and the class; a CPU is refused first.
        """
        device_for(params)
        networks = networks_from_states(base, control, head_channels=head_channels)
        return cls(
            networks,
            contexts,
            params,
            facts,
            least_side_px=least_side_px,
            tiles_at_once=tiles_at_once,
        )

    @property
    def device(self) -> str:
        """Processor it runs on."""
        return str(self._device)

    @property
    def facts(self) -> Mapping[str, Any]:
        """What was given, and how it ran: precision, tiles in px, and what memory forced."""
        return self._given_facts | {
            "precision": str(self._dtype).removeprefix("torch."),
            "tile_px": self._sampling.tile_px,
            "coding_tile_px": self._coding.tile_px,
            "notes": self.notes,
        }

    @property
    def notes(self) -> list[str]:
        """How it went on after memory had run out, in words for the user."""
        return self._coding.notes + self._sampling.notes

    def n_tiles(self, shape_yx: tuple[int, int]) -> int:
        """Count the tiles of an image of this height and width."""
        return n_tiles(fit(shape_yx, self._least_side_px).padded_yx, self._sampling.tile_px)

    def estimate_s(self, shape_yx: tuple[int, int]) -> float:
        """Estimate the seconds for an image of this height and width.

        From counted operations and a short trial of the processor. That serves networks of full
        size; tiny ones take several times as long as their few operations.
        """
        padded = fit(shape_yx, self._least_side_px).padded_yx
        tile_px = self._params.tile_px
        of_full_tile = math.prod(min(tile_px, side) / tile_px for side in padded)
        flop = n_tiles(padded, tile_px) * tile_flop(self._params, *self._tile_flop) * of_full_tile
        return flop / measured_speed(self._device, self._dtype)

    def restore(
        self, image: NDArray[np.float32], seed: int
    ) -> Generator[StepDone, None, NDArray[np.float32]]:
        """Restore an image; see `Restorer.restore`.

        Noise is drawn on the CPU for the whole image, so that neither the device nor the batch
        matters, but for rounding.

        Raises
        ------
        ParameterError
            If the image has NaN or infinity.
        DeviceError
            If memory does not suffice even with the smallest tiles.
        GmffError
            If the model gives NaN or infinity.
        """
        image = np.asarray(image, np.float32)
        if not np.isfinite(image).all():
            raise ParameterError("image: must hold finite numbers to be restored, found NaN or inf")
        done = StepDone(0, self._params.steps)
        work = self._guarded(self._restored(image, seed))
        try:
            while True:
                try:
                    done = next(work) or done
                except StopIteration as end:
                    restored: NDArray[np.float32] = end.value
                    return restored
                yield done
        finally:
            work.close()

    def _restored(
        self, image: NDArray[np.float32], seed: int
    ) -> Generator[StepDone | None, None, NDArray[np.float32]]:
        """Do the work of `restore`; yields None where it can be stopped within a step."""
        size = fit((image.shape[1], image.shape[2]), self._least_side_px)
        enlarged = size.apply(image)
        padded = torch.from_numpy(size.pad(enlarged))
        condition = yield from self._sparing(
            self._coding,
            lambda: self._autoencoder.encode(padded, self._coding.tile_px, self._coding.at_once),
        )
        latent = yield from self._sparing(self._sampling, lambda: self._sampled(condition, seed))
        decoded = yield from self._sparing(
            self._coding,
            lambda: self._autoencoder.decode(latent, self._coding.tile_px, self._coding.at_once),
        )
        self._check(decoded, "decoding")
        generated = size.crop(decoded.numpy())
        return size.undo(with_low_band_of(generated, enlarged))

    def _sampled(self, condition: Tensor, seed: int) -> Generator[StepDone | None, None, Tensor]:
        """Bring noise to a latent image (4, h, w), step by step."""
        self._check(condition, "encoding")
        scheduler = make_scheduler(self._params.steps)
        noise = torch.Generator("cpu").manual_seed(seed)
        latent = self._start(condition, noise, scheduler)
        side = self._sampling.tile_px // self._autoencoder.factor
        for number, timestep in enumerate(timesteps(self._params.steps), start=1):
            predicted = yield from self._denoiser.noise_in_tiles(
                latent, condition, timestep, side, self._sampling.at_once
            )
            stepped = scheduler.step(predicted[None], timestep, latent[None], generator=noise)
            latent = stepped.prev_sample[0]
            self._check(latent, f"step {number}")
            yield StepDone(number, self._params.steps)
        return latent

    def _start(self, condition: Tensor, noise: torch.Generator, scheduler: Any) -> Tensor:
        drawn = torch.randn(condition.shape, generator=noise).to(condition)
        if self._params.start == "noise":
            return drawn
        first = torch.tensor(timesteps(self._params.steps)[:1])
        noisy: Tensor = scheduler.add_noise(condition[None], drawn[None], first)[0]
        return noisy

    def _check(self, values: Tensor, when: str) -> None:
        if not bool(torch.isfinite(values).all()):
            hint = "" if self._dtype == torch.float32 else "; try precision float32"
            raise GmffError(
                f"{self._given_facts.get('title', 'the model')}: gave NaN or infinity in {when}, "
                f"so its weights are damaged or do not fit together{hint}"
            )

    def _sparing(
        self, ladder: TileLadder, attempt: Callable[[], Generator[_Item, None, _Result]]
    ) -> Generator[_Item, None, _Result]:
        return sparing(attempt, ladder, self._device)

    def _guarded(self, work: Generator[_Item, None, _Result]) -> Generator[_Item, None, _Result]:
        """Set torch for each step alone: between two of them other code runs."""
        while True:
            try:
                with torch_scope(None), torch.no_grad():
                    item = next(work)
            except StopIteration as end:
                result: _Result = end.value
                return result
            yield item

    def _move_networks(self) -> None:
        networks = self._networks
        try:
            # torch's own `to`: diffusers' warns of what concerns other networks.
            torch.nn.Module.to(networks.unet, self._device, self._dtype)
            torch.nn.Module.to(networks.control, self._device, self._dtype)
            torch.nn.Module.to(networks.autoencoder, self._device, torch.float32)
        except (MemoryError, RuntimeError) as error:
            if is_lack_of_memory(error):
                raise DeviceError(
                    f"{self._device}: out of memory while the model was loaded; it takes about "
                    f"{_n_bytes(networks, self._dtype) / 1e9:.1f} GB before any image"
                ) from error
            raise

    @cached_property
    def _tile_flop(self) -> tuple[float, float]:
        return count_flop(self._networks, self._params.tile_px)


def _dtype_of(precision: str, device: torch.device) -> torch.dtype:
    if precision == "auto":
        fast = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if fast else torch.float32
    dtype: torch.dtype = getattr(torch, precision)
    return dtype


def _n_bytes(networks: Networks, dtype: torch.dtype) -> int:
    counts: list[int] = [
        sum(one.numel() for one in network.parameters())
        for network in (networks.unet, networks.control, networks.autoencoder)
    ]
    return (counts[0] + counts[1]) * dtype.itemsize + 4 * counts[2]
