"""No input ends a parser of foreign text with anything but its documented errors.

`python tests/fuzz/run.py` runs the same targets on many more inputs.
"""

import random
from pathlib import Path

import pytest
from fuzz.mutations import mutated
from fuzz.targets import TARGETS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize("name", TARGETS)
def test_good_inputs_are_read(name: str, tmp_path: Path) -> None:
    assert TARGETS[name].seeds
    for seed in TARGETS[name].seeds:
        TARGETS[name].call(seed, tmp_path)


@pytest.mark.parametrize("name", TARGETS)
@settings(
    max_examples=20,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32))
def test_broken_inputs_give_documented_errors(name: str, tmp_path: Path, seed: int) -> None:
    target = TARGETS[name]
    target.call(mutated(target.seeds, random.Random(seed)), tmp_path)


@settings(max_examples=100, derandomize=True, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_mutations_can_be_repeated(seed: int) -> None:
    seeds = TARGETS["bandit"].seeds
    assert mutated(seeds, random.Random(seed)) == mutated(seeds, random.Random(seed))
