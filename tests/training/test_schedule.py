import itertools

import pytest
import torch
from torch import nn

from napari_gmff.training.config import OptimiserConfig
from napari_gmff.training.schedule import MovingAverage, learning_rate

OPTIMISER = OptimiserConfig(learning_rate=1e-3, warmup_steps=10, final_share=0.01)


def test_the_rate_warms_up_falls_like_a_cosine_and_ends_at_its_final_share():
    rates = [learning_rate(step, 1000, OPTIMISER) for step in range(1000)]
    assert rates[0] == pytest.approx(1e-3 / 11, rel=1e-3)
    assert rates.index(max(rates)) == 10
    assert max(rates) == pytest.approx(1e-3, rel=1e-2)
    assert all(b <= a for a, b in itertools.pairwise(rates[10:]))
    assert rates[500] == pytest.approx(0.505e-3, rel=0.01)
    assert rates[-1] == pytest.approx(1e-5)


def test_a_run_of_one_step_has_a_rate():
    assert learning_rate(0, 1, OPTIMISER) > 0


def network(value):
    net = nn.BatchNorm1d(2)
    with torch.no_grad():
        net.weight.fill_(value)
        net.running_mean.fill_(value)
        net.num_batches_tracked.fill_(int(value))
    return net


def test_the_average_follows_weights_and_statistics_and_copies_counters():
    average = MovingAverage(network(0.0), 0.5)
    average.update(network(4.0), step=100)
    average.update(network(8.0), step=101)
    assert average.state["weight"].tolist() == [5.0, 5.0]
    assert average.state["running_mean"].tolist() == [5.0, 5.0]
    assert int(average.state["num_batches_tracked"]) == 8


def test_first_weights_do_not_linger():
    average = MovingAverage(network(100.0), 0.999)
    for step in range(50):
        average.update(network(1.0), step)
    assert average.state["weight"][0] < 1.001


def test_the_average_is_not_the_network_itself():
    net = network(1.0)
    average = MovingAverage(net, 0.9)
    with torch.no_grad():
        net.weight.fill_(5.0)
    assert average.state["weight"][0] == 1.0
