"""The setting of the pools: which models only certain workers serve."""

import pytest

from rowcast.errors import BadSetting
from rowcast.pools import read_pools
from rowcast.settings import Settings


def test_a_model_belongs_to_the_first_pool_that_names_it() -> None:
    pools = read_pools("heavy = fraud, images-* ; team-b=churn;heavy=late;all=fraud")
    assert pools.names == ["heavy", "team-b", "all"]
    belongs = {"fraud": "heavy", "images-2": "heavy", "late": "heavy", "churn": "team-b", "fraud-2": "", "titanic": ""}
    assert {name: pools.of_model(name) for name in belongs} == belongs
    assert pools.of_models(["titanic", "churn", "fraud", "late"]) == ["team-b", "heavy"]


def test_the_default_pool_gets_no_work_if_another_takes_every_model() -> None:
    assert read_pools("").with_work == [""]
    assert read_pools("heavy=fraud").with_work == ["", "heavy"]
    assert read_pools("heavy=fraud;rest=*").with_work == ["heavy", "rest"]


@pytest.mark.parametrize("pools", ["", " ", "a=b", "a=b;", " a = b , c* ; d-1=e "])
def test_pools_that_can_be_read_are_taken(pools: str) -> None:
    assert Settings.read(pools=pools).pools == pools


@pytest.mark.parametrize("pools", ["a", "a=", "=b", "a=b,", "A=b", "a=b;c", "a:b=c", "-a=b", "a=b c", "a=b;;c=d"])
def test_pools_that_cannot_be_read_are_refused(pools: str) -> None:
    with pytest.raises(BadSetting, match="ROWCAST_POOLS="):
        Settings.read(pools=pools)
    with pytest.raises(BadSetting, match="ROWCAST_POOL="):
        Settings.read(pool="heavy/1")
