import math

import pytest
import torch

from napari_gmff.training.data import Batch
from napari_gmff.training.loss import focus_loss


def batch(target, weight=None):
    target = torch.as_tensor(target, dtype=torch.float32)[None]
    weight = torch.ones(target.shape[0], *target.shape[2:]) if weight is None else weight
    return Batch(torch.zeros_like(target), target, weight)


def one_pixel(*shares):
    return [[[share]] for share in shares]


def test_equal_logits_cost_the_logarithm_of_the_number_of_slices():
    loss = focus_loss(torch.zeros(1, 4, 1, 1), batch(one_pixel(0, 1, 0, 0)))
    assert float(loss) == pytest.approx(math.log(4))


def test_a_sure_right_answer_costs_nothing_and_a_sure_wrong_one_much():
    sure = torch.tensor([[[[0.0]], [[30.0]]]])
    assert float(focus_loss(sure, batch(one_pixel(0, 1)))) < 1e-6
    assert float(focus_loss(sure, batch(one_pixel(1, 0)))) == pytest.approx(30)


def test_slices_that_are_alike_are_best_answered_alike():
    alike = batch(one_pixel(0.5, 0.5))
    undecided = focus_loss(torch.zeros(1, 2, 1, 1), alike)
    decided = focus_loss(torch.tensor([[[[0.0]], [[2.0]]]]), alike)
    assert float(undecided) == pytest.approx(math.log(2))
    assert float(decided) > float(undecided)


def test_a_pixel_without_weight_does_not_count():
    target = [[[1.0, 0.0]], [[0.0, 1.0]]]  # (N=2, Y=1, X=2)
    logits = torch.tensor([[[[5.0, 5.0]], [[0.0, 0.0]]]])  # right at the first pixel only
    only_first = batch(target, torch.tensor([[[2.0, 0.0]]]))
    assert float(focus_loss(logits, only_first)) == pytest.approx(
        2 * math.log(1 + math.exp(-5)) / 2, rel=1e-4
    )


def test_all_stacks_count_alike_without_balance():
    target = torch.tensor([[[[1.0]], [[0.0]]], [[[1.0]], [[0.0]]]])
    logits = torch.tensor([[[[4.0]], [[0.0]]], [[[0.0]], [[4.0]]]])  # right, wrong
    both = Batch(torch.zeros_like(target), target, torch.ones(2, 1, 1))
    right, wrong = math.log1p(math.exp(-4)), math.log1p(math.exp(4))
    assert float(focus_loss(logits, both)) == pytest.approx((right + wrong) / 2)


def test_with_balance_the_gradient_is_that_of_the_logarithm_of_what_is_wrong():
    """The reference is torch's own derivative of log(e + b), e above the least possible loss."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 5, 4, 4, generator=generator)
    target = torch.softmax(2 * torch.randn(3, 5, 4, 4, generator=generator), dim=1)
    stacks = Batch(torch.zeros_like(target), target, torch.ones(3, 4, 4))
    balance = 0.2

    one = logits.clone().requires_grad_()
    focus_loss(one, stacks, balance).backward()
    other = logits.clone().requires_grad_()
    divergence = torch.nn.functional.kl_div(
        torch.log_softmax(other, 1), target, reduction="none"
    ).sum(1)
    above = divergence.mean((1, 2))
    ((1 + balance) * torch.log(above + balance)).mean().backward()

    assert one.grad is not None and other.grad is not None
    assert torch.allclose(one.grad, other.grad, atol=1e-7)


def test_with_balance_an_easy_stack_pulls_more_than_without():
    easy = torch.tensor([[[[2.0]], [[0.0]]]], requires_grad=True)
    plain = torch.autograd.grad(focus_loss(easy, batch(one_pixel(1, 0))), easy)[0]
    balanced = torch.autograd.grad(focus_loss(easy, batch(one_pixel(1, 0)), 0.1), easy)[0]
    assert float(balanced.abs().max()) > 3 * float(plain.abs().max())
