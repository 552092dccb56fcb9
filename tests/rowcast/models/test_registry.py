import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rowcast.errors import AliasMoved, ModelRefused, NotFound, Unprocessable
from rowcast.models import manifest_cache as manifests_module
from rowcast.models.naming import alias_moves as alias_moves_module
from rowcast.models.naming import aliases as aliases_module
from rowcast.models.registry import Registry
from rowcast.storage import Storage


class CountingStorage(Storage):
    """A store that counts what is read from it."""

    reads = 0

    def get(self, key):
        self.reads += 1
        return super().get(key)


def test_a_name_alone_is_the_latest_version_until_there_is_a_production(registry, draft):
    registry.register("titanic", b"one", draft)
    registry.register("titanic", b"two", draft)
    assert registry.resolve("titanic").version == "2"
    registry.set_alias("titanic", "production", "1")
    assert registry.resolve("titanic").version == "1"
    assert registry.resolve("titanic@latest").version == "2"
    assert registry.resolve("titanic@2").version == "2"


def test_what_was_registered_comes_back(registry, draft):
    manifest = registry.register("titanic", b"the pickle", draft)
    other = Registry(registry.storage)
    assert other.resolve("titanic") == manifest
    assert other.model_bytes(manifest) == b"the pickle"
    assert manifest.classes == [0, 1]
    assert manifest.created_at.endswith("Z")


def test_versions_are_in_numeric_order(registry, draft):
    for _ in range(11):
        registry.register("m", b"", draft)
    assert registry.versions("m") == [str(number) for number in range(1, 12)]
    assert registry.resolve("m").version == "11"


def test_models_whose_names_begin_alike_are_kept_apart(registry, draft):
    registry.register("a", b"", draft)
    registry.register("ab", b"", draft)
    registry.register("ab", b"", draft)
    assert registry.names() == ["a", "ab"]
    assert registry.versions("a") == ["1"]


def test_an_empty_registry_says_that_there_is_none(registry):
    assert registry.names() == []
    with pytest.raises(NotFound, match="The registry has no model 'titanic'; none exist"):
        registry.resolve("titanic")


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("titanik", "The registry has no model 'titanik'; the nearest is 'titanic'."),
        ("TITANIC", "The registry has no model 'TITANIC'; the nearest is 'titanic'."),
        ("titanic@2", "The model 'titanic' has no version or alias '2'; these exist: '1', 'latest'."),
        ("titanic@lates", "The model 'titanic' has no version or alias 'lates'; the nearest is 'latest'."),
        ("titanic@", "The model 'titanic' has no version or alias ''; these exist: '1', 'latest'."),
    ],
)
def test_what_is_not_there_is_named_with_what_is_there(registry, draft, reference, sentence):
    registry.register("titanic", b"", draft)
    with pytest.raises(NotFound) as error:
        registry.resolve(reference)
    assert error.value.detail == sentence


TRICKS = [
    "../outside", "..", ".", "", "/", "/etc", "outside/..", "%2e%2e", "a/b", "a\\b", "a\x00", "titanic\n", " titanic",
    "titanic/1", "..@1", "x" * 100_000, "~", "ﬁ", "titanic@../1", "titanic@1/../1", "titanic@%2e%2e", "titanic@01",
    "titanic@1\n", "titanic@\u0661", "titanic@-1", "titanic@0", "titanic@1.0", "titanic@" + "9" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("reference", TRICKS, ids=range(len(TRICKS)))
def test_no_trick_with_a_path_reaches_anything(registry, draft, tmp_path, reference):
    registry.register("titanic", b"", draft)
    Registry(Storage(str(tmp_path))).register("outside", b"", draft)
    name, _, version = reference.partition("@")
    with pytest.raises(NotFound) as error:
        registry.resolve(reference)
    assert len(error.value.detail) < 500
    with pytest.raises(NotFound):
        registry.manifest(name, version or "1")


@pytest.mark.parametrize("name", ["", "..", "a/b", "%2e", "-a", "a" * 65, "a\n", "ä"])
def test_a_model_cannot_be_registered_under_a_name_that_is_none(registry, draft, name):
    with pytest.raises(Unprocessable, match="is not a valid name for a model"):
        registry.register(name, b"", draft)


def test_a_version_without_a_manifest_is_not_there_and_its_number_is_not_used_again(registry, draft):
    registry.register("m", b"one", draft)
    registry.storage.put("m/2/model.pkl", b"its writer was killed here")
    assert registry.versions("m") == ["1"]
    with pytest.raises(NotFound):
        registry.resolve("m@2")
    assert registry.register("m", b"three", draft).version == "3"
    assert registry.versions("m") == ["1", "3"]


def test_a_model_without_any_alias_is_its_highest_version(registry, draft):
    registry.register("m", b"", draft)
    registry.register("m", b"", draft)
    registry.storage.delete("m/aliases.json")
    assert Registry(registry.storage).resolve("m").version == "2"


def test_registrations_at_once_never_share_a_version(tmp_path, draft):
    location = str(tmp_path)

    def register(number):
        return Registry(Storage(location)).register("m", f"model {number}".encode(), draft)

    with ThreadPoolExecutor(8) as pool:
        manifests = list(pool.map(register, range(24)))
    registry = Registry(Storage(location))
    assert {manifest.version for manifest in manifests} == {str(number) for number in range(1, 25)}
    assert {registry.model_bytes(manifest) for manifest in manifests} == {b"model %d" % n for n in range(24)}
    assert registry.aliases("m")["latest"] == "24"


def test_an_alias_moves_and_can_be_set_to_what_another_alias_means(registry, draft):
    registry.register("m", b"", draft)
    registry.register("m", b"", draft)
    registry.set_alias("m", "staging", "1")
    registry.set_alias("m", "production", "staging")
    registry.set_alias("m", "staging", "2")
    assert registry.aliases("m") == {"latest": "2", "production": "1", "staging": "2"}
    assert registry.resolve("m@production").version == "1"
    assert registry.resolve("m@staging").version == "2"


def test_an_alias_moves_only_from_the_version_that_is_expected(registry, draft):
    for _ in range(3):
        registry.register("m", b"", draft)
    registry.set_alias("m", "production", "1", expected=None)
    registry.set_alias("m", "production", "2", expected="1", by="ann")
    for expected, says in (("1", "is version 2 now, not version 1"), (None, "although it was not to exist")):
        with pytest.raises(AliasMoved, match=says):
            registry.set_alias("m", "production", "3", expected=expected)
    with pytest.raises(AliasMoved, match="m@staging does not exist now, not version 1"):
        registry.set_alias("m", "staging", "3", expected="1")
    assert registry.aliases("m") == {"latest": "3", "production": "2"}
    moved = [(one.before, one.version, one.by) for one in registry.alias_moves("m") if one.alias == "production"]
    assert moved == [(None, "1", ""), ("1", "2", "ann")]


def test_of_programs_that_move_an_alias_at_once_each_sees_the_move_before_its_own(tmp_path, draft):
    location, moves = str(tmp_path), 40
    for _ in range(2):
        Registry(Storage(location)).register("m", b"", draft)

    def promote(number):
        registry = Registry(Storage(location))
        registry.set_alias("m", f"of-{number}", "1")
        for _ in range(moves):
            at = registry.resolve("m@latest").version
            try:
                registry.set_alias("m", "latest", "1" if at == "2" else "2", expected=at)
            except AliasMoved:
                registry = Registry(Storage(location))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(promote, range(4)))
    registry = Registry(Storage(location))
    assert set(registry.aliases("m")) == {"latest", *(f"of-{number}" for number in range(4))}, "no change is lost"
    history = [one for one in registry.alias_moves("m") if one.alias == "latest"]
    assert len(history) > 2
    assert all(one.before != one.version for one in history)


def test_a_rollback_goes_to_the_version_before_and_the_next_one_further_back(registry, draft):
    for _ in range(4):
        registry.register("m", b"", draft)
    with pytest.raises(NotFound, match="no version or alias 'production'"):
        registry.rollback("m", "production")
    for version in ("1", "2", "3", "4"):
        registry.set_alias("m", "production", version)
    assert Registry(registry.storage, actor="ann").rollback("m", "production") == ("4", "3")
    assert registry.rollback("m", "production") == ("3", "2")
    registry.set_alias("m", "production", "4")
    registry.remove("m", "2")
    assert registry.rollback("m", "production") == ("4", "1"), "a version that was removed is passed over"
    with pytest.raises(NotFound, match="No version is known that m@production named before version 1"):
        registry.rollback("m", "production")
    assert ["ann" if one.is_rollback and one.by else "" for one in registry.alias_moves("m")].count("ann") == 1


def test_the_moves_of_each_alias_are_bounded_and_a_damaged_file_of_them_harms_nothing(registry, draft, monkeypatch):
    monkeypatch.setattr(alias_moves_module, "KEPT_MOVES", 5)
    registry.register("m", b"", draft)
    registry.register("m", b"", draft)
    registry.set_alias("m", "staging", "1")
    for number in range(12):
        registry.set_alias("m", "production", str(1 + number % 2))
    kept = [one.alias for one in registry.alias_moves("m")]
    assert (kept.count("production"), kept.count("staging")) == (5, 1)
    registry.storage.put("m/alias_moves.json", b"{")
    assert registry.alias_moves("m") == []
    registry.set_alias("m", "production", "1")
    assert registry.rollback("m", "production") == ("1", "2")


@pytest.mark.parametrize("alias", ["3", "007", "", "..", "a/b", "a@b"])
def test_an_alias_that_could_be_a_version_or_a_path_is_refused(registry, draft, alias):
    registry.register("m", b"", draft)
    with pytest.raises(Unprocessable, match="is not a valid alias"):
        registry.set_alias("m", alias, "1")


def test_an_alias_cannot_point_to_nothing(registry, draft):
    registry.register("m", b"", draft)
    for name, version in [("m", "2"), ("m", "staging"), ("n", "1"), ("../m", "1")]:
        with pytest.raises(NotFound):
            registry.set_alias(name, "production", version)
    assert registry.aliases("m") == {"latest": "1"}


def test_a_version_that_is_removed_is_gone_for_every_program_within_a_second(registry, draft, monkeypatch):
    for _ in range(3):
        registry.register("m", b"", draft)
    registry.set_alias("m", "staging", "2")
    gateway = Registry(registry.storage)
    assert gateway.resolve("m@2").version == "2"
    registry.remove("m", "2")
    monkeypatch.setattr(manifests_module, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(aliases_module, "FRESH_SECONDS", 0.0)
    for reference in ("m@2", "m@staging"):
        with pytest.raises(NotFound):
            gateway.resolve(reference)
    assert gateway.versions("m") == ["1", "3"]
    registry.remove("m", "3")
    assert gateway.resolve("m").version == "1"
    assert gateway.aliases("m") == {"latest": "1"}
    assert registry.register("m", b"", draft).version == "4"


def test_resolving_again_reads_nothing(tmp_path, draft):
    storage = CountingStorage(str(tmp_path))
    Registry(storage).register("m", b"", draft)
    registry = Registry(storage)
    registry.resolve("m")
    before = storage.reads
    for _ in range(100):
        registry.resolve("m@latest")
    # A second may pass on a busy machine: then only the aliases are read again.
    assert storage.reads - before <= 5


def test_an_alias_that_another_program_moved_is_seen_once_the_old_one_is_stale(registry, draft, monkeypatch):
    registry.register("m", b"", draft)
    registry.resolve("m")
    Registry(registry.storage).register("m", b"", draft)
    monkeypatch.setattr(aliases_module, "FRESH_SECONDS", 0.0)
    assert registry.resolve("m").version == "2"


def test_bytes_that_are_not_those_of_the_manifest_are_refused(registry, draft):
    manifest = registry.register("m", b"the pickle", draft)
    registry.storage.put("m/1/model.pkl", b"the Pickle")
    with pytest.raises(ModelRefused, match=r"m@1.*SHA-256"):
        registry.model_bytes(manifest)


def test_a_file_that_is_gone_is_not_found(registry, draft):
    manifest = registry.register("m", b"", draft)
    registry.storage.delete("m/1/model.pkl")
    with pytest.raises(NotFound, match="missing from the registry"):
        registry.model_bytes(manifest)


def test_bytes_are_not_fetched_for_a_manifest_that_names_a_path(registry, draft):
    manifest = registry.register("m", b"", draft)
    for change in ({"name": "../m"}, {"version": "../1"}):
        with pytest.raises(NotFound):
            registry.model_bytes(manifest.model_copy(update=change))


def test_a_manifest_that_is_damaged_or_of_another_version_is_refused(registry, draft):
    registry.register("m", b"", draft)
    registry.storage.put("m/2/manifest.json", registry.storage.get("m/1/manifest.json"))
    with pytest.raises(ModelRefused, match=r"m/2/manifest.json is that of m@1"):
        registry.resolve("m@2")
    registry.storage.put("m/3/manifest.json", b'{"name": "m"')
    with pytest.raises(ModelRefused, match=r"m/3/manifest.json is damaged"):
        registry.resolve("m@3")


def test_aliases_that_are_damaged_are_refused(registry, draft):
    registry.register("m", b"", draft)
    registry.storage.put("m/aliases.json", b"[]")
    with pytest.raises(ModelRefused, match="aliases"):
        Registry(registry.storage).resolve("m")


def test_reading_the_registry_loads_no_numpy_no_pandas_and_no_scikit_learn():
    program = (
        "import sys, rowcast.models.registry, rowcast.models.model_manifest, rowcast.models.signature\n"
        "print(sorted({'numpy', 'pandas', 'sklearn', 'scipy', 'joblib'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[3]
    answer = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"
