"""The report: what a training found, as one HTML file without scripts that loads nothing."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path

import pandas as pd

from rowcast.models.model_manifest import Manifest
from rowcast.wording.quantity import counted
from training.fitting.held_out import HeldOut
from training.report.figures import Figure, confusion, figures, importances

MOST_FEATURES = 20
"""Features with a bar of importance; the list of features has all."""

MOST_CLASSES = 12

_SHOWN_OPEN = 30
"""With more features, their list is folded."""

_EXPLAINED = {
    "accuracy": "share of rows with the right class",
    "balanced_accuracy": "the same for each class, then the mean",
    "log_loss": "how wrong the probabilities are; 0 is best",
    "roc_auc": "1 is best, 0.5 is chance",
    "mae": "mean absolute error, in units of the target",
    "rmse": "root mean squared error, in units of the target",
    "r2": "1 is best, 0 is as good as the mean",
}

_OPTION = re.compile(r"--[a-z-]+")
_AS_CODE = r"<code>\g<0></code>"


@dataclass(frozen=True)
class TrainingReport:
    """What the report is about."""

    manifest: Manifest
    held_out: HeldOut
    #: The rows to learn from, shape (rows, features).
    table: pd.DataFrame
    #: What was unusual about the data, in sentences.
    findings: Sequence[str]

    def html(self) -> str:
        """Returns the page."""
        style = (files("training.report") / "report.css").read_text(encoding="utf-8")
        title = f"Report on {escape(self.manifest.reference)}"
        body = "\n".join(part for section in (*self._about(), *self._plots()) for part in section)
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
            f"{body}\n</main>\n</body>\n</html>\n"
        )

    def write(self, path: Path) -> None:
        """Writes the page. It takes the place of an older report.

        Raises:
            OSError: the file cannot be written.
        """
        path.write_text(self.html(), encoding="utf-8")

    def _about(self) -> Iterator[Iterable[str]]:
        manifest = self.manifest
        estimator, target, data = (escape(str(manifest.training[name])) for name in ("estimator", "target", "data"))
        if manifest.description:
            yield [f"<p>{escape(manifest.description)}</p>"]
        yield [
            f"<p>The estimator {estimator} predicts <strong>{target}</strong> from",
            f"{counted(len(manifest.features), 'feature')}. It was measured on",
            f"{counted(len(self.held_out.values), 'row')} that it had not seen, and then fitted to all",
            f"{len(self.table):,} rows of {data}. Registered {manifest.created_at[:16].replace('T', ' ')} UTC.</p>",
        ]
        if self.findings:
            listed = "".join(f"<li>{_OPTION.sub(_AS_CODE, escape(finding))}</li>" for finding in self.findings)
            yield ["<h2>Warnings and notes</h2>", f'<ul class="warnings">{listed}</ul>']
        yield ["<h2>Metrics</h2>", *self._metrics()]

    def _metrics(self) -> Iterator[str]:
        found = self.manifest.cross_validation
        names = [
            "Metric",
            "Held-out rows",
            *([f"{found.folds} folds, mean (95 % interval)"] if found else []),
            "Meaning",
        ]
        rows = []
        for name, value in self.manifest.metrics.items():
            folds = [str(found.metrics[name]) if name in found.metrics else ""] if found else []
            rows.append([name, f"{value:.4g}", *folds, _EXPLAINED.get(name, "")])
        yield _table("Metrics", names, rows)
        if found:
            yield (
                f'<p class="hint">Folds by {escape(found.method)}; t-intervals over the folds. Folds share training '
                "rows, so the true uncertainty is somewhat larger.</p>"
            )
        if self.manifest.threshold is not None:
            yield f"<p>Best threshold (<code>threshold=auto</code>): {self.manifest.threshold:.4g}.</p>"

    def _plots(self) -> Iterator[Iterable[str]]:
        charts = figures(self.held_out)
        matrix = self._confusion() if self.manifest.task == "classification" else ()
        yield ["<h2>Plots of the held-out rows</h2>", '<div class="charts">', *map(_figure, charts), *matrix, "</div>"]
        yield ["<h2>Importance of the features</h2>", *self._importances()]
        yield ["<h2>Data</h2>", *self._data()]

    def _confusion(self) -> Iterator[str]:
        labels, counts = confusion(self.held_out, MOST_CLASSES)
        head = "".join(f'<th scope="col">{escape(label)}</th>' for label in labels)
        yield "<figure><h3>Confusion matrix</h3>"
        yield '<div class="wide" tabindex="0" role="region" aria-label="Confusion matrix"><table class="matrix">'
        yield f"<thead><tr><td></td>{head}</tr></thead><tbody>"
        for label, row in zip(labels, counts, strict=True):
            total = max(1, sum(row))
            # At most half of the colour, so that the text on it can be read in light and in dark.
            cells = "".join(
                f'<td style="background: rgb(var(--heat) / {count / total / 2:.2f})">{count:,}</td>' for count in row
            )
            yield f'<tr><th scope="row">{escape(label)}</th>{cells}</tr>'
        yield "</tbody></table></div><figcaption>Rows are the true classes, and columns the predicted ones."
        yield "The stronger the colour, the larger the share of the true class.</figcaption></figure>"

    def _importances(self) -> Iterator[str]:
        metric, found = importances(self.held_out)
        most = max([one.mean for one in found if one.mean > 0], default=1.0)
        yield '<table class="bars"><thead><tr><th scope="col" class="number">Feature</th>'
        yield f'<th scope="col">Importance</th><th scope="col" class="number">Loss of {metric}</th></tr></thead><tbody>'
        for one in found[:MOST_FEATURES]:
            width = max(0.0, 100 * one.mean / most)
            yield (
                f'<tr><th scope="row">{escape(one.feature)}</th><td><svg aria-hidden="true"><rect width="{width:.1f}%" '
                f'height="100%"/></svg></td><td class="number">{one.mean:.4f} ± {one.deviation:.4f}</td></tr>'
            )
        yield "</tbody></table>"
        more = (
            f" {len(found) - MOST_FEATURES:,} features with less are not shown." if len(found) > MOST_FEATURES else ""
        )
        yield (
            f'<p class="hint">Permutation importance: how much {metric} falls on held-out rows if the cells of this '
            "feature are exchanged among the rows; mean and standard deviation of five tries. Features that say the "
            f"same share their importance.{more}</p>"
        )

    def _data(self) -> Iterator[str]:
        facts = {_plain(name).capitalize(): str(value) for name, value in self.manifest.training.items() if value}
        facts |= {name: version for name, version in self.manifest.libraries.items() if name != "joblib"}
        yield (
            "<dl>"
            + "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts.items())
            + "</dl>"
        )
        missing, distinct = self.table.isna().mean(), self.table.nunique()
        rows = [
            [one.name, one.kind, f"{missing[one.name]:.1%}", f"{distinct[one.name]:,}"]
            for one in self.manifest.features
        ]
        listed = _table("Features", ["Feature", "Kind", "Missing", "Different values"], rows)
        if len(rows) > _SHOWN_OPEN:
            listed = f"<details><summary>{len(rows):,} features</summary>{listed}</details>"
        yield listed


def _plain(name: object) -> str:
    return escape(str(name).replace("_", " "))


def _figure(figure: Figure) -> str:
    return (
        f"<figure><h3>{escape(figure.title)}</h3>\n{figure.svg}\n<figcaption>{figure.legend}"
        f"<p>{escape(figure.caption)}</p></figcaption></figure>"
    )


def _table(caption: str, names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    body = "\n".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>"
    )
