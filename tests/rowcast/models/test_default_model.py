import pytest

from rowcast.errors import NoDefaultModel
from rowcast.models import default_model
from rowcast.models.default_model import DefaultModel
from rowcast.settings import Settings


@pytest.fixture(autouse=True)
def _always_look(monkeypatch):
    monkeypatch.setattr(default_model, "FRESH_SECONDS", 0.0)


def chosen(registry, **settings):
    return str(DefaultModel(registry, Settings.read(**settings)).resolve().name)


def test_it_is_the_one_of_the_setting(registry, draft):
    registry.register("titanic", b"", draft)
    registry.register("other", b"", draft)
    assert chosen(registry) == "titanic"
    assert chosen(registry, default_model="other@1") == "other"


def test_without_a_setting_the_only_model_is_the_default(registry, draft):
    model = DefaultModel(registry, Settings.read())
    with pytest.raises(NoDefaultModel, match="no model is registered yet; add one with `rowcast models add`"):
        model.resolve()
    registry.register("mine", b"", draft)
    assert model.resolve().name == "mine"
    registry.register("yours", b"", draft)
    with pytest.raises(NoDefaultModel, match="the default model 'titanic' does not exist; name one of mine, yours"):
        model.resolve()
    registry.register("titanic", b"", draft)
    assert model.resolve().name == "titanic"


def test_a_model_that_the_setting_names_is_not_replaced(registry, draft):
    registry.register("mine", b"", draft)
    with pytest.raises(NoDefaultModel, match="the default model 'yours' does not exist; name one of mine"):
        chosen(registry, default_model="yours")


def test_many_names_do_not_fill_the_screen(registry, draft):
    for number in range(25):
        registry.register(f"m{number:02}", b"", draft)
    with pytest.raises(NoDefaultModel, match=r"m19 and 5 more$"):
        chosen(registry)


def test_the_registry_is_not_listed_again_within_a_second(registry, draft, monkeypatch):
    monkeypatch.setattr(default_model, "FRESH_SECONDS", 1000.0)
    registry.register("mine", b"", draft)
    model = DefaultModel(registry, Settings.read())
    assert model.resolve().name == "mine"
    registry.register("yours", b"", draft)
    assert model.resolve().name == "mine"
