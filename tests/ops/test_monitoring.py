"""Alert rules are tested by promtool; rules and dashboard ask only for figures that the programs have."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
SOURCES = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.c"))
# PromQL's own words, and what other exporters and Prometheus itself show
WORD = re.compile(r"\b([a-z]+_[a-z_]+)\b(?!\s*\()")
FOREIGN = re.compile(r"^(node_|up$)")
LABELS = {"second_factor", "retry_later"}
FUNCTIONS = {"histogram_quantile", "predict_linear"}


def promtool(*args: str) -> str:
    done = subprocess.run(["promtool", *args], cwd=MONITORING, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def unknown(expression: str) -> list[str]:
    """Names in an expression that no source has as a metric."""
    plain = re.sub(r'"[^"]*"', '""', expression)
    names = {word for word in WORD.findall(plain) if not FOREIGN.match(word)} - LABELS - FUNCTIONS
    return [name for name in names if f'"{re.sub("_bucket$", "", name)}"' not in SOURCES]


def test_rules_fire_for_their_reasons() -> None:
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yaml")


def test_configuration() -> None:
    promtool("check", "config", "--syntax-only", "prometheus.yaml")
    promtool("check", "rules", "alerts.yaml")


def test_every_rule_says_what_to_do_and_is_tested() -> None:
    tests = (MONITORING / "alerts_test.yaml").read_text()
    for group in yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            assert rule["annotations"]["action"], rule["alert"]
            assert f'alertname="{rule["alert"]}"' in tests, f"{rule['alert']} is never seen to fire"
            assert unknown(rule["expr"]) == [], rule["alert"]


def test_the_dashboard_asks_for_what_is_there() -> None:
    board = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    targets = [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel.get("targets", [])]
    assert len(targets) > 20
    for title, expression in targets:
        assert unknown(expression) == [], title


def test_anisette_on_ecs_is_reachable_inside_only() -> None:
    task = json.loads((ROOT / "deploy" / "aws" / "anisette-task.json").read_text())
    service = json.loads((ROOT / "deploy" / "aws" / "anisette-service.json").read_text())
    assert service["taskDefinition"] == task["family"]
    assert service["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "DISABLED"
    assert "loadBalancers" not in service
    assert task["volumes"][0]["efsVolumeConfiguration"]["transitEncryption"] == "ENABLED"
    # Two of them would write one identity.
    assert (service["desiredCount"], service["deploymentConfiguration"]["maximumPercent"]) == (1, 100)
