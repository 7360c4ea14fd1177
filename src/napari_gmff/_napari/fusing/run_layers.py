"""The layers of a run while it goes on: they fill, and then stay as a set or go again."""

from __future__ import annotations

import uuid
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from napari_gmff._napari.common.colors import slice_colors
from napari_gmff._napari.fusing.stack_picker import GEOMETRY_EVENTS
from napari_gmff._napari.layers.result_layers import iter_add_result_layers
from napari_gmff._napari.layers.result_sets import METADATA_KEY, ResultSet, result_sets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import napari
    from napari.layers import Image, Layer

    from napari_gmff._napari.common.generator_run import MakeSteps, Steps
    from napari_gmff._napari.layers.stack_views import StackView
    from napari_gmff.export.layout import Geometry
    from napari_gmff.live_images import LiveImages
    from napari_gmff.params import FuseParams
    from napari_gmff.plan import FusionPlan
    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.results import FusionResult


class RunLayers:
    """Layers that show the result of a run from its first finished window on.

    They are added one by one with `grow`.

    Parameters
    ----------
    viewer : napari.Viewer
        Receives the layers.
    view : StackView
        What is fused.
    provenance : dict
        What is known of the run before it ends: ``slices`` with ``numbers`` and ``z_um``.
    first : tuple of int
        Time point, row and column of the source at which the result begins.
    suffix : str
        At the end of the layers' names. Layers with one are temporary and belong to no set.
    """

    def __init__(
        self,
        viewer: napari.Viewer,
        view: StackView,
        provenance: dict[str, Any],
        first: tuple[int, int, int] = (0, 0, 0),
        suffix: str = "",
    ) -> None:
        self._viewer = viewer
        self._view = view
        self._provenance = provenance
        self._first = first
        self._suffix = suffix
        self._set_id = uuid.uuid4().hex
        self._images: LiveImages | None = None
        self._geometry: Geometry | None = None
        self._layers: dict[str, list[Image]] = {}
        self._adding: Iterator[tuple[str, Image]] | None = None
        self._is_complete = False

    @property
    def layers(self) -> list[Image]:
        """Those of the layers that are still in the viewer."""
        made = [layer for layers in self._layers.values() for layer in layers]
        return [layer for layer in made if layer in self._viewer.layers]

    @property
    def source_layers(self) -> list[Image]:
        """The layers that are fused."""
        return list(self._view.layers)

    def prepared(self, make_steps: MakeSteps) -> MakeSteps:
        """Have the colours of the slices worked out in the thread: that imports a good deal."""
        numbers = self._provenance["slices"]["numbers"]

        def steps(should_stop: Callable[[], bool]) -> Steps:
            slice_colors(numbers[-1] - numbers[0] + 1)
            return make_steps(should_stop)

        return steps

    @property
    def is_complete(self) -> bool:
        """Whether all layers have been added; some may have been deleted since."""
        return self._is_complete

    @property
    def were_deleted(self) -> bool:
        """Whether the user deleted all of the layers."""
        return self._is_complete and not self.layers

    def expect(self, images: LiveImages, geometry: Geometry) -> None:
        """Take the pixels that will fill; there is nothing to see before the first window."""
        self._images, self._geometry = images, geometry

    def grow(self) -> None:
        """Add one more layer; all at once, they would hold up the window."""
        if self._adding is None:
            self._adding = self._all_layers()
        image, layer = next(self._adding, (None, None))
        if image is None or layer is None:
            self._is_complete = True
            return
        layer.name = f"{layer.name}{self._suffix}"
        self._layers.setdefault(image, []).append(layer)

    def refresh(self) -> None:
        """Draw the layers again that are seen."""
        for layer in self.layers:
            if layer.visible:
                layer.refresh(thumbnail=False, extent=False)

    def _all_layers(self) -> Iterator[tuple[str, Image]]:
        assert self._images is not None
        assert self._geometry is not None
        return iter_add_result_layers(
            self._viewer,
            self._images,
            self._geometry,
            self._provenance,
            self._view.name,
            view=self._view,
            first=self._first,
            set_id=None if self._suffix else self._set_id,
        )

    def finish(self, stack: FocusStack, params: FuseParams, result: FusionResult) -> ResultSet:
        """Make a set of the layers that are left, with the complete result behind it."""
        assert self._images is not None
        self.tell_provenance(result)
        kept = self.layers
        made = ResultSet(
            name=self._view.name,
            stack=stack,
            params=params,
            result=result,
            images=self._images,
            source_layers=list(self._view.layers),
            layers={
                image: [layer for layer in layers if layer in kept]
                for image, layers in self._layers.items()
            },
            set_id=self._set_id,
            z_axis=self._view.axes.z_axis,
        )
        result_sets(self._viewer).add(made)
        return made

    def tell_provenance(self, result: FusionResult) -> None:
        """Put the record of the finished run into the layers, and draw them a last time."""
        for layer in self.layers:
            layer.metadata[METADATA_KEY]["provenance"] = result.provenance
            layer.refresh(extent=False)

    def remove(self) -> None:
        """Take all layers out of the viewer again."""
        remove_layers(self._viewer, self.layers)


def replace_earlier(viewer: napari.Viewer, made: ResultSet) -> bool:
    """Remove earlier results of the same stack, and give the new layers their names.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose sets are looked through.
    made : ResultSet
        The new one.

    Returns
    -------
    bool
        False where an earlier result was kept: it was corrected by hand, or a layer is locked.
    """
    kept_any = False
    for earlier in result_sets(viewer):
        if earlier is made or not _is_same_stack(earlier, made):
            continue
        made_by_hand = bool(earlier.result.provenance.get("corrections"))
        locked = any(getattr(one, "locked", False) for one in _layers_of(earlier))
        if made_by_hand or locked:
            kept_any = True
            continue
        names = {image: [one.name for one in layers] for image, layers in earlier.layers.items()}
        remove_layers(viewer, _layers_of(earlier))
        for image, layers in made.layers.items():
            for layer, name in zip(layers, names.get(image, []), strict=False):
                layer.name = name
    return not kept_any


def slices_of(stack: FocusStack, plan: FusionPlan) -> dict[str, Any]:
    """Return what the record of a run will say of its slices."""
    z_um = plan.z_um(stack)
    return {"slices": {"numbers": plan.slices, "z_um": None if z_um is None else z_um.tolist()}}


def remove_layers(viewer: napari.Viewer, layers: Sequence[Layer]) -> None:
    """Remove layers from a viewer together.

    For each layer that goes on its own, napari 0.9 collects garbage, and the window stands still.
    """
    together = getattr(viewer.layers, "batched_update", nullcontext)
    with together() if layers else nullcontext():
        for layer in layers:
            viewer.layers.remove(layer)


def _layers_of(made: ResultSet) -> list[Image]:
    return [one for layers in made.layers.values() for one in layers]


def _is_same_stack(one: ResultSet, other: ResultSet) -> bool:
    return bool(set(one.source_layers) & set(other.source_layers))


class SourceGuard:
    """Tells when the layers that are being fused are deleted or edited.

    Parameters
    ----------
    viewer : napari.Viewer
        Which shows them.
    layers : list of Image
        The layers of the stack.
    on_change : callable
        Called with words for the user, once.
    """

    def __init__(
        self, viewer: napari.Viewer, layers: list[Image], on_change: Callable[[str], None]
    ) -> None:
        self._viewer = viewer
        self._layers = layers
        self._on_change = on_change
        viewer.layers.events.removed.connect(self._on_removed)
        for layer in layers:
            for name in GEOMETRY_EVENTS:
                getattr(layer.events, name).connect(self._on_edited)

    def release(self) -> None:
        """Listen no longer."""
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        for layer in self._layers:
            for name in GEOMETRY_EVENTS:
                getattr(layer.events, name).disconnect(self._on_edited)

    def _on_removed(self, event: Any) -> None:
        if event.value in self._layers:
            self._tell(f"{event.value.name} was deleted while it was being fused")

    def _on_edited(self, event: Any) -> None:
        self._tell(f"{event.source.name} was changed while it was being fused")

    def _tell(self, what: str) -> None:
        self.release()
        self._on_change(f"{what}; the run was stopped, and nothing of it is kept.")
