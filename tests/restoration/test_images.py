from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.marks import AI_MARK
from napari_gmff.reading.stack import Channel
from napari_gmff.restoration.images import restoration_images
from tests.export.conftest import MakeResult

CHANNELS = (Channel("DAPI", "0000FF"), Channel("GFP", "00FF00"))
ALWAYS = ["restored", "fused", "restoration_mask", "difference", "abs_difference"]


def test_what_is_stored_depends_on_seeds_and_on_the_stack(make_result: MakeResult) -> None:
    fused = make_result()
    assert list(restoration_images(fused, n_seeds=1, has_contradiction=False)) == ALWAYS
    both = restoration_images(fused, n_seeds=3, has_contradiction=True)
    assert set(both) == {*ALWAYS, "restored_mean", "spread", "contradiction"}
    assert both["restored_mean"].title == f"mean of 3 restorations {AI_MARK}"


def test_titles_are_marked_but_for_the_fused_image_and_the_mask(make_result: MakeResult) -> None:
    images = restoration_images(make_result(), n_seeds=2, has_contradiction=True)
    plain = {name for name, spec in images.items() if not spec.title.endswith(AI_MARK)}
    assert plain == {"fused", "restoration_mask"}


@pytest.mark.parametrize("times", [1, 3])
def test_images_have_axes_and_types_of_the_fused_one(make_result: MakeResult, times: int) -> None:
    fused = make_result(times=times, channels=CHANNELS)
    images = restoration_images(fused, n_seeds=2, has_contradiction=True)
    whole = fused.images["fused"]
    assert images["fused"] == whole
    for name in ("restored", "restored_mean"):
        same = (images[name].axes, images[name].shape, images[name].dtype, images[name].channels)
        assert same == (whole.axes, whole.shape, whole.dtype, CHANNELS)
    for name in ("difference", "abs_difference", "spread"):
        assert (images[name].axes, images[name].dtype) == (whole.axes, np.float32)
    for name in ("restoration_mask", "contradiction"):
        assert images[name].axes == whole.axes.replace("c", "")


def test_a_part_in_space_and_time_has_images_of_its_size(make_result: MakeResult) -> None:
    fused = make_result(times=3, channels=CHANNELS)
    images = restoration_images(
        fused, n_seeds=1, has_contradiction=False, n_times=1, shape_yx=(20, 30)
    )
    assert (images["fused"].axes, images["fused"].shape) == ("cyx", (2, 20, 30))
    assert (images["restoration_mask"].axes, images["restoration_mask"].shape) == ("yx", (20, 30))


def test_a_channel_without_a_name_is_not_called_fused(make_result: MakeResult) -> None:
    images = restoration_images(make_result(), n_seeds=1, has_contradiction=False)
    assert images["restored"].channels[0].name == images["restored"].title
