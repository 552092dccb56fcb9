"""The representation: the types of the columns and the container with which the service predicts as the script does."""

from collections.abc import Sequence

from rowcast.errors import Unprocessable
from rowcast.models.loading.load import Container
from rowcast.models.model_manifest import Feature
from training.findings import Say
from training.rehearsal.checks.neighbours import BRUTE_FORCE
from training.rehearsal.checks.other_files import brute_force_decides, rounded, tells_apart, whole
from training.rehearsal.compare import Difference
from training.rehearsal.trial import Rehearsal
from training.rehearsal.users_script import Script

ORDER_NOTE = (
    "The last bit of a prediction depends on whether pandas reads the columns of a file as whole numbers or as floats; "
    "it is that of files typed like the sample."
)


def choose(rehearsal: Rehearsal, say: Say) -> None:
    """Takes the first representation that agrees: the fastest one first, then types as pandas has them."""
    script = rehearsal.script
    features = list(rehearsal.draft.features)
    types = script.read(rehearsal.trials[-1].data).dtypes
    exact = [_as_pandas(one, str(types[one.name])) for one in features]
    containers = [script.container] if script.container != "frame" else _containers(script, features)
    refused: list[Difference] = []
    for tolerance in (0, 1):  # in the second round, other trials than the sample itself may differ in the last bit
        for container in containers:
            found = rehearsal.compare(rehearsal.model(features, container), rounding_from=tolerance or None)
            if found is None:
                if tolerance:
                    rehearsal.note(ORDER_NOTE)
                return rehearsal.take(features, container)
            refused.append(found)
        for container in containers if exact != features else []:
            if rehearsal.compare(rehearsal.model(exact, container), rounding_from=tolerance or None) is None:
                chosen = _fewest(rehearsal, features, exact, container)
                _say_what_differs(features, chosen, say)
                return rehearsal.take(chosen, container)
    raise Unprocessable(_refusal(rehearsal, features, refused[0]))


def _containers(script: Script, features: Sequence[Feature]) -> list[Container]:
    """Returns what to try. For numbers an array is faster; a linear model has the bits of one layout or the other."""
    if not all(feature.kind == "number" for feature in features):
        return ["frame"]
    return ["frame", "row_array"] if hasattr(script.estimator, "feature_names_in_") else ["array", "row_array", "frame"]


def _as_pandas(feature: Feature, dtype: str) -> Feature:
    """Returns the feature with the exact type that pandas gives its column in the sample's complete rows."""
    if feature.kind == "number" and dtype == "int64":
        return feature.model_copy(update={"kind": "integer", "missing": False})
    if feature.kind == "boolean" and dtype == "bool":
        return feature.model_copy(update={"dtype": "bool", "missing": False})
    return feature


def _fewest(
    rehearsal: Rehearsal, usual: Sequence[Feature], exact: Sequence[Feature], container: Container
) -> list[Feature]:
    """Returns the features, of which as few as possible have pandas' exact type; found by halving."""

    def agrees(with_exact: set[int]) -> bool:
        features = [exact[n] if n in with_exact else usual[n] for n in range(len(usual))]
        return rehearsal.compare(rehearsal.model(features, container)) is None

    needed = {n for n in range(len(usual)) if exact[n] != usual[n]}
    waiting = [sorted(needed)]
    while waiting:
        group = waiting.pop()
        if agrees(needed - set(group)):
            needed -= set(group)
        elif len(group) > 1:
            waiting += [group[: len(group) // 2], group[len(group) // 2 :]]
    return [exact[n] if n in needed else usual[n] for n in range(len(usual))]


def _say_what_differs(usual: Sequence[Feature], chosen: Sequence[Feature], say: Say) -> None:
    for before, after in zip(usual, chosen, strict=True):
        if before != after:
            what = "whole numbers" if after.kind == "integer" else "booleans without gaps"
            say(f"{after.name!r} takes only {what}: another type from pandas would change the predictions.")


def _refusal(rehearsal: Rehearsal, features: Sequence[Feature], found: Difference) -> str:
    """Returns why no representation agrees: row, both values, remedy, and the feature if only one is the reason."""
    name = rehearsal.sample.name
    blamed = _blamed(rehearsal, features)
    what = f"The service cannot predict what your script predicts: {found.said(name)}"
    if blamed is None:
        return (
            f"{what}, and no types of the columns and no container make them equal. Pass to "
            "`rowcast models add` what your script passes to `read_csv`: dtype as --kind NAME=KIND, na_values as "
            "--na-values, parse_dates as --parse-dates, decimal as --decimal."
        )
    if brute_force_decides(rehearsal.script, rehearsal.frame(), [blamed]):
        return BRUTE_FORCE
    return (
        f"{what}. The reason is the column {blamed!r}: pandas gives it different types in different files "
        "(whole numbers in a file without gaps, floats in one with a gap), and that changes the predictions. "
        f"Name its type, as your script then should (dtype): --kind {blamed}=number or --kind {blamed}=text."
    )


def _blamed(rehearsal: Rehearsal, features: Sequence[Feature]) -> str | None:
    """Returns the first feature whose whole numbers change the script's predictions if they are read as floats."""
    script, frame = rehearsal.script, rehearsal.frame()
    numbers = [one.name for one in features if one.kind == "number" and one.name not in script.dialect.kinds]
    return next((name for name in numbers if tells_apart(script, frame, [name], whole, rounded)), None)
