from __future__ import annotations

import json

import pytest
import torch

from napari_gmff.errors import WeightsError
from napari_gmff.restoration.diffusion.networks import networks_from_states
from napari_gmff.restoration.diffusion.sizes import (
    autoencoder_config,
    control_config,
    sd21_base,
    unet_config,
)

pytest.importorskip("diffusers")

from napari_gmff.restoration.diffusion.layout import (
    base_layouts,
    check_base,
    check_control,
    control_layout,
    empty_like,
    empty_network,
    shapes_of,
)


def _short(state, prefix: str) -> dict[str, tuple[int, ...]]:
    return {
        name.removeprefix(prefix): shape
        for name, shape in shapes_of(state).items()
        if name.startswith(prefix)
    }


def test_sizes_are_read_from_shapes(base_state, control_state, tiny_config):
    unet = unet_config(_short(base_state, "model.diffusion_model."))
    known = tiny_config["unet"]
    widths = [known["model_channels"] * factor for factor in known["channel_mult"]]
    assert unet["block_out_channels"] == widths
    assert unet["cross_attention_dim"] == known["context_dim"]
    assert unet["layers_per_block"] == known["num_res_blocks"]
    assert unet["attention_head_dim"] == [width // known["num_head_channels"] for width in widths]
    assert unet["in_channels"] == 4
    control = control_config(_short(control_state, ""))
    assert control["in_channels"] == 8
    assert control["block_out_channels"] == widths
    autoencoder = autoencoder_config(_short(base_state, "first_stage_model."))
    known = tiny_config["vae"]
    assert autoencoder["block_out_channels"] == [known["ch"] * one for one in known["ch_mult"]]
    assert autoencoder["latent_channels"] == known["z_channels"]


def test_the_packaged_sizes_are_those_of_stable_diffusion_2():
    from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel

    packaged = sd21_base()
    with torch.device("meta"):
        unet = UNet2DConditionModel(**packaged["unet"])
        control = ControlNetModel(**packaged["control"])
        autoencoder = AutoencoderKL(**packaged["autoencoder"])

    def n_parameters(network) -> int:
        return sum(one.numel() for one in network.parameters())

    assert n_parameters(unet) == 865_910_724  # as its authors have it
    assert n_parameters(autoencoder) == 83_653_863
    hint = n_parameters(control.controlnet_cond_embedding)
    assert n_parameters(control) - hint == pytest.approx(363e6, rel=0.005)
    json.dumps(packaged)


def test_sizes_of_the_full_networks_are_read_as_packaged(base_state, control_state):
    """The names of the tiny file with the shapes of the full-size networks."""
    tiny = (*base_layouts(shapes_of(base_state)), control_layout(shapes_of(control_state)))
    full: dict[str, tuple[int, ...]] = {}
    for layout, key in zip(tiny, ("unet", "autoencoder", "control"), strict=True):
        network = empty_network(layout.class_name, sd21_base()[key])
        shapes = {name: tuple(one.shape) for name, one in network.state_dict().items()}
        # The authors' attention in the autoencoder is made of convolutions.
        convolved = {name for name in shapes if key == "autoencoder" and ".to_" in name}
        full |= {
            layout.table[name]: (*shape, 1, 1) if name in convolved and len(shape) == 2 else shape
            for name, shape in shapes.items()
        }
    control = {name: shape for name, shape in full.items() if name in control_state}
    unet, autoencoder = base_layouts(full)
    assert unet.config == sd21_base()["unet"]
    assert autoencoder.config == sd21_base()["autoencoder"]
    assert control_layout(control).config == sd21_base()["control"]


def test_a_copy_without_values_has_the_same_tensors(networks):
    for network in (networks.unet, networks.control, networks.autoencoder):
        empty = empty_like(network)
        assert {name: one.shape for name, one in empty.state_dict().items()} == {
            name: one.shape for name, one in network.state_dict().items()
        }
        assert all(one.device.type == "meta" for one in empty.parameters())


def test_every_tensor_comes_to_its_place_once(base_state, control_state):
    for layout in (*base_layouts(shapes_of(base_state)), control_layout(shapes_of(control_state))):
        assert len(set(layout.table.values())) == len(layout.table) == len(layout.shapes)


def test_tensors_are_shared_and_not_copied(base_state, control_state):
    networks = networks_from_states(base_state, control_state)
    ours = networks.unet.conv_in.weight
    theirs = base_state["model.diffusion_model.input_blocks.0.0.weight"]
    assert ours.data_ptr() == theirs.data_ptr()


@pytest.mark.parametrize(
    "wrapper", ["module.", "state_dict.", "state_dict.module.", "control_model."]
)
def test_names_may_be_wrapped_as_trainers_do(control_state, wrapper):
    check_control({wrapper + name: shape for name, shape in shapes_of(control_state).items()})


def test_other_tensors_of_the_single_file_are_ignored(base_state):
    shapes = shapes_of(base_state)
    check_base(shapes | {"cond_stage_model.model.ln_final.weight": (64,), "betas": (1000,)})


def test_a_missing_tensor_is_named(base_state):
    shapes = shapes_of(base_state)
    del shapes["model.diffusion_model.output_blocks.3.1.proj_in.bias"]
    with pytest.raises(WeightsError, match=r"missing .*up_blocks\.1\.attentions\.0\.proj_in\.bias"):
        check_base(shapes)


def test_a_tensor_too_many_is_named(control_state):
    shapes = shapes_of(control_state) | {"input_blocks.0.1.extra": (3,)}
    with pytest.raises(WeightsError, match=r"not expected input_blocks\.0\.1\.extra"):
        check_control(shapes)


def test_a_tensor_of_another_shape_is_named(control_state):
    shapes = shapes_of(control_state) | {"zero_convs.3.0.weight": (7, 32, 1, 1)}
    with pytest.raises(WeightsError, match=r"zero_convs\.3\.0\.weight must have shape .*found"):
        check_control(shapes)


def test_a_checkpoint_of_something_else_is_refused(base_state, control_state):
    with pytest.raises(WeightsError, match="not a network of Stable Diffusion: missing input"):
        check_control(shapes_of(base_state))
    with pytest.raises(WeightsError, match="not a Stable Diffusion 2 checkpoint"):
        check_base(shapes_of(control_state))
    with pytest.raises(WeightsError, match="not a"):
        check_base({"a": (1,)})
    with pytest.raises(WeightsError, match="not a"):
        check_control({})


def test_a_file_without_its_autoencoder_is_refused(base_state):
    shapes = {
        name: shape
        for name, shape in shapes_of(base_state).items()
        if name.startswith("model.diffusion_model.")
    }
    with pytest.raises(WeightsError, match=r"with its autoencoder: missing first_stage_model"):
        check_base(shapes)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(base_state, control_state, value):
    name = "zero_convs.0.0.bias"
    damaged = dict(control_state) | {name: torch.full_like(control_state[name], value)}
    with pytest.raises(WeightsError, match=f"{name} must hold finite numbers"):
        networks_from_states(base_state, damaged)


def test_a_model_for_another_base_is_refused(base_state, control_state):
    unsteered = {
        name: tensor[:, :4] if name == "input_blocks.0.0.weight" else tensor
        for name, tensor in control_state.items()
    }
    with pytest.raises(WeightsError, match="its input must have 8 channels, found 4"):
        networks_from_states(base_state, unsteered)
