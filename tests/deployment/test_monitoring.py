"""Prometheus, its alerts and Grafana's dashboards: every metric, label and value that they name is one that Forage has."""

import json
import re
from itertools import combinations
from pathlib import Path

import pytest
import typer

from ops import cli
from ops.telemetry import KINDS, METRICS
from schemas.outcomes import REASONS
from tests.deployment.promql import grouped, matched, selectors
from tests.deployment.shapes import Alerts, Compose, Dashboard, Prometheus, load_yaml

ROOT = Path(__file__).parents[2]
DOCKER, BOARDS = ROOT / "ops" / "docker", ROOT / "ops" / "dashboards"
PLAIN = load_yaml((ROOT / "docker-compose.yml").read_text())
COMPOSE = Compose.model_validate({name: part for name, part in PLAIN.items() if not name.startswith("x-")})
PROMETHEUS = Prometheus.model_validate(load_yaml((DOCKER / "prometheus.yml").read_text()))
ALERTS = [rule for group in Alerts.model_validate(load_yaml((DOCKER / "alerts.yml").read_text())).groups for rule in group.rules]
DASHBOARDS = [Dashboard.model_validate_json(path.read_text()) for path in sorted(BOARDS.glob("*.json"))]
PANELS = [panel for board in DASHBOARDS for panel in board.panels if panel.type != "row"]
EXPRESSIONS = [rule.expr for rule in ALERTS] + [target.expr for panel in PANELS for target in panel.targets]
FOREIGN = {"up": set(), "process_resident_memory_bytes": set(), "process_cpu_seconds_total": set()}  # of Prometheus and its client
OF_A_TARGET = {"job", "instance", "role"}
FATES = re.findall(r"\w+", METRICS["forage_producer_events_total"].help.partition(":")[2])
VALUES = {"kind": KINDS, "reason": REASONS, "fate": FATES, "job": [job.job_name for job in PROMETHEUS.scrape_configs]}
HEADINGS = re.findall(r"^#+ (.+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)


def labels_of(series):
    """Labels of a series by the name that PromQL sees; None for one that nobody has."""
    if series in FOREIGN:
        return FOREIGN[series] | OF_A_TARGET
    if series in METRICS:
        return set(METRICS[series].labels) | OF_A_TARGET if METRICS[series].kind != "histogram" else None
    base, _, end = series.rpartition("_")
    if base in METRICS and METRICS[base].kind == "histogram" and end in ("bucket", "sum", "count"):
        return set(METRICS[base].labels) | OF_A_TARGET | ({"le"} if end == "bucket" else set())
    return None


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_label_and_value_exists(expression):
    found = selectors(expression)
    assert found or expression == "vector(0)"
    known = set()
    for series, asked in found:
        labels = labels_of(series)
        assert labels is not None, f"{series} is no metric"
        assert asked <= labels, f"{series} has no label {asked - labels}"
        known |= labels
    assert grouped(expression) <= known
    for _, label, values in matched(expression):
        assert set(values) <= set(VALUES[label]), f"{label} is never {values}"


def test_an_unknown_name_would_be_seen():
    text = 'sum by (parttion) (rate(forage_record_total{inputs="actions"}[5m])) > 2e10 or vector(0)'
    assert selectors(text) == [("forage_record_total", {"inputs"})]
    assert grouped(text) == {"parttion"}
    assert labels_of("forage_record_total") is None
    assert labels_of("forage_transaction_seconds") is None  # a histogram has series of other names
    assert "le" in labels_of("forage_transaction_seconds_bucket")
    assert matched(text) == [("forage_record_total", "inputs", ["actions"])]


def test_counters_are_read_as_rates_and_gauges_as_they_are():
    for expression in EXPRESSIONS:
        for series, _ in selectors(expression):
            counts = series.endswith("_total") or series.endswith("_bucket")
            rates = re.findall(rf"(\w+)\({series}(?:\{{[^}}]*\}})?\[", expression)
            assert bool(set(rates) & {"rate", "increase"}) == counts, f"{series} in {expression}"


def test_every_metric_is_looked_at_somewhere():
    used = {series.removesuffix("_bucket") for expression in EXPRESSIONS for series, _ in selectors(expression)}
    assert METRICS.keys() - used == {"forage_worker_info", "forage_applied_offset"}  # for questions of the moment


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule.alert)
def test_an_alert_says_what_to_do_and_where_it_stands(rule):
    place, _, anchor = rule.annotations.runbook.partition("#")
    assert place == "docs/operations.md"
    assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in HEADINGS}
    assert f"`{rule.alert}`" in (ROOT / place).read_text(), "the runbook names the alerts that lead to it"
    assert len(rule.annotations.description.split()) >= 8
    known = typer.main.get_command(cli.app).commands
    for first, second in re.findall(r"\bforage (\w+)(?: (\w+))?", rule.annotations.description):
        assert first in known
        assert not hasattr(known[first], "commands") or second in known[first].commands
    for text in (rule.annotations.summary, rule.annotations.description):
        labels = set(re.findall(r"\$labels\.(\w+)", text))
        assert labels <= grouped(rule.expr) or not grouped(rule.expr)


def test_alerts_have_names_of_their_own():
    names = [rule.alert for rule in ALERTS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_a_panel_has_a_unit_a_source_and_a_legend_that_its_series_have(panel):
    defaults = panel.fieldConfig["defaults"]
    assert defaults["unit"] in {"short", "none", "s", "ops", "bytes", "percentunit"}
    assert panel.datasource is not None
    for target in panel.targets:
        assert set(re.findall(r"\{\{(\w+)\}\}", target.legendFormat)) <= grouped(target.expr) | OF_A_TARGET
    if panel.type == "stat":
        steps = defaults["thresholds"]["steps"]
        assert steps[0]["value"] is None
        assert [step["value"] for step in steps[1:]] == sorted(step["value"] for step in steps[1:])


@pytest.mark.parametrize("board", DASHBOARDS, ids=lambda board: board.uid)
def test_panels_stand_beside_each_other(board):
    assert len({panel.id for panel in board.panels}) == len(board.panels)
    for one, other in combinations([panel.gridPos for panel in board.panels], 2):
        apart = one.x + one.w <= other.x or other.x + other.w <= one.x or one.y + one.h <= other.y or other.y + other.h <= one.y
        assert apart
    assert all(panel.gridPos.x + panel.gridPos.w <= 24 for panel in board.panels)


def mounts(service):
    return dict(volume.split(":")[:2] for volume in COMPOSE.services[service].volumes)


def test_prometheus_reads_every_process_and_its_rules():
    targets = {target for job in PROMETHEUS.scrape_configs for some in job.static_configs for target in some.targets}
    processes = {name for name, one in COMPOSE.services.items() if one.build and one.command[0] == "worker"}
    port = re.search(r"FORAGE_METRICS=\S+:(\d+)", (ROOT / "Dockerfile").read_text())[1]
    assert targets == {f"{name}:{port}" for name in processes}
    inside = mounts("prometheus")
    config = next(word.removeprefix("--config.file=") for word in COMPOSE.services["prometheus"].command if "config.file" in word)
    assert inside["./ops/docker/prometheus.yml"] == config
    assert {str(Path(config).parent / name) for name in PROMETHEUS.rule_files} == {inside["./ops/docker/alerts.yml"]}


def test_grafana_finds_prometheus_and_the_dashboards():
    inside = mounts("grafana")
    place = inside["./ops/dashboards"]
    (provider,) = load_yaml((DOCKER / "grafana" / "provisioning" / "dashboards" / "forage.yml").read_text())["providers"]
    assert provider["options"]["path"] == place
    home = COMPOSE.services["grafana"].environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert Path(home).parent == Path(place)
    assert (BOARDS / Path(home).name).exists()
    (source,) = load_yaml((DOCKER / "grafana" / "provisioning" / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert (source["uid"], source["type"]) == ("forage", "prometheus")
    host, port = source["url"].removeprefix("http://").split(":")
    assert any(published.endswith(f":{port}") for published in COMPOSE.services[host].ports)


def test_dashboards_are_json_without_double_keys():
    def once(pairs):
        assert len({name for name, _ in pairs}) == len(pairs)
        return dict(pairs)

    for path in BOARDS.glob("*.json"):
        json.loads(path.read_text(), object_pairs_hook=once)
