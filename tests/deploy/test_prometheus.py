"""The files for Prometheus: they are valid, alerts fire when they should, and each leads to what to do."""

import json
import re
import subprocess

import pytest
import yaml
from programs import ROOT

from api.app import create_app
from rowcast.settings import Settings
from tools import dashboard

FOLDER = ROOT / "deploy" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "rowcast.json"

pytestmark = pytest.mark.usefixtures("prometheus_is_installed")


def promtool(*words: str) -> None:
    done = subprocess.run(["promtool", *words], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configuration_and_the_rules_are_valid() -> None:
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "--lint=all", "--lint-fatal", "rules.yml", "alerts.yml")


def test_alerts_fire_when_they_should() -> None:
    promtool("test", "rules", "alerts_test.yml")


def test_the_dashboard_is_what_its_table_says() -> None:
    """Whether its expressions have answers is tested in `tests/stack/test_metrics.py`."""
    assert json.loads(DASHBOARD.read_text()) == dashboard.dashboard(), "run: python tools/dashboard.py"


def test_grafana_finds_the_files_that_compose_mounts() -> None:
    grafana = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]
    mounts = dict(volume.split(":")[:2] for volume in grafana["volumes"])
    provider = yaml.safe_load((DASHBOARD.parent / "provisioning/dashboards/rowcast.yml").read_text())["providers"][0]
    assert mounts["./deploy/grafana/rowcast.json"].startswith(provider["options"]["path"] + "/")
    source = yaml.safe_load((DASHBOARD.parent / "provisioning/datasources/prometheus.yml").read_text())
    assert source["datasources"][0]["url"] == "http://prometheus:9090"


def test_every_alert_is_tested_and_leads_to_what_to_do(settings: Settings) -> None:
    alerts = [
        rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]
    ]
    tested = re.findall(r"alertname: (\w+)", (FOLDER / "alerts_test.yml").read_text())
    label = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["global"]["external_labels"]["rowcast"]
    page = create_app(settings).test_client().get("/docs/metrics").text
    for rule in alerts:
        assert rule["alert"] in tested
        path = rule["annotations"]["runbook_url"].replace("{{ $externalLabels.rowcast }}", label)
        assert path == f"http://localhost:5000/docs/metrics#{rule['alert'].lower()}"
        assert f'<h3 id="{rule["alert"].lower()}">' in page
