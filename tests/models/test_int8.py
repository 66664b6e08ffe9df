"""Products of many rows in 8-bit integers: how far off they are, and what the turns are for."""

import pytest
import torch

from spring.models.int8 import BLOCK, Int8Weights, join_int8, pack_int8, products_in_int8
from spring.models.packed_linear import MOST_ROWS, PackedLinear
from spring.models.rounding import pack_4_bits


def random(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def off(weights: Int8Weights, weight: torch.Tensor, input: torch.Tensor) -> float:
    """How far the products are off, as a share of their size."""
    exact = input @ weight.t()
    return float((weights.product(input) - exact).norm() / exact.norm())


@pytest.mark.parametrize("columns", [16, 96, 128, 576])  # of which 16 has a block of 16
def test_products_are_off_by_a_hundredth(columns: int) -> None:
    weight, input = random(48, columns), random(40, columns, seed=2)
    assert off(pack_int8(weight), weight, input) < 0.02


def test_a_channel_that_is_a_hundred_times_as_large_leaves_the_others_their_levels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weight, input = random(48, 2 * BLOCK), random(40, 2 * BLOCK, seed=2)
    input[:, 7] *= 100
    weight[:, 7] /= 100  # so that the others decide
    turned = off(pack_int8(weight), weight, input)
    monkeypatch.setattr("spring.models.int8.BLOCK", 1)
    assert off(pack_int8(weight), weight, input) > 2 * turned


def test_a_row_does_not_depend_on_the_others() -> None:
    weights, input = pack_int8(random(48, 64)), random(40, 64, seed=2)
    assert torch.equal(weights.product(input)[3:5], weights.product(input[3:5].clone()))


def test_rows_of_zeros_give_zeros_and_large_ones_stay_finite() -> None:
    weights = pack_int8(torch.cat((random(16, 64), torch.zeros(16, 64))))
    input = torch.stack((torch.zeros(64), torch.full((64,), 1e30), torch.full((64,), 1e-30), torch.eye(64)[3] * 1e-40))
    product = weights.product(input)
    assert product.isfinite().all()
    assert not product[0].any()
    assert not product[:, 16:].any()
    assert product[1].abs().max() > 1e29


def test_the_rows_type_comes_back() -> None:
    assert pack_int8(random(16, 64)).product(random(3, 64).bfloat16()).dtype == torch.bfloat16


def test_rounded_rows_serve_several_products_or_one_of_the_joined_matrices() -> None:
    matrices, input = (pack_int8(random(16, 64)), pack_int8(random(32, 64, seed=3))), random(20, 64, seed=2)
    each = [matrix.product(input) for matrix in matrices]
    for found, exact in zip(products_in_int8(matrices, input), each, strict=True):
        assert torch.equal(found, exact)
    assert torch.equal(join_int8(matrices).product(input), torch.cat(each, 1))


@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_multiplies_many_rows_so_and_gives_up_its_own_weights(bias: bool) -> None:
    linear = torch.nn.Linear(64, 48, bias=bias)
    weight = linear.weight.detach()
    layer, input = PackedLinear(linear, pack_4_bits(weight), pack_int8(weight)), random(1, MOST_ROWS + 1, 64)
    with torch.inference_mode():
        found, exact = layer(input), linear(input)
        few = layer(input[:, :2])
    assert found.shape == exact.shape
    assert torch.allclose(found, exact, atol=0.05)
    assert torch.allclose(few, exact[:, :2], atol=0.3)
    assert {name for name, _ in layer.named_parameters()} == ({"bias"} if bias else set())
