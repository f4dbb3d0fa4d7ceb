"""For each alert what fires it and what does not, by promtool on the rules as they are deployed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.live import ROOT
from tests.system import require

pytestmark = pytest.mark.slow
RULES = ROOT / "monitoring/prometheus"
FIRING = 'count by (alertname) (ALERTS{alertstate="firing"})'

HERE = 'job="madang", instance="app:9464"'
SITE = '{job="site", instance="https://api.example.com/healthz"}'
DISK = '{job="node", device="/dev/sda1", fstype="ext4", mountpoint="/"}'
BUCKET = "http_request_duration_seconds_bucket"
WELL = {
    f"up{{{HERE}}}": "1x300",
    f"probe_success{SITE}": "1x300",
    f"probe_ssl_earliest_cert_expiry{SITE}": "2592000x300",
    f"http_requests_total{{{HERE}}}": "0+6000x300",
    f"http_server_errors_total{{{HERE}}}": "0+1x300",
    f"http_requests_in_progress{{{HERE}}}": "12x300",
    f'{BUCKET}{{{HERE}, le="0.1"}}': "0+5990x300",
    f'{BUCKET}{{{HERE}, le="0.2"}}': "0+6000x300",
    f'{BUCKET}{{{HERE}, le="+Inf"}}': "0+6000x300",
    f"unexpected_errors_total{{{HERE}}}": "0x300",
    f"after_commit_failures_total{{{HERE}}}": "0x300",
    f"log_lines_lost_total{{{HERE}}}": "0x300",
    f'logins_total{{{HERE}, outcome="INVALID_CREDENTIALS"}}': "0+20x300",
    f"database_up{{{HERE}}}": "1x300",
    f"redis_up{{{HERE}}}": "1x300",
    f"redis_evicted_keys_total{{{HERE}}}": "0+100x300",
    f'db_pool_connections{{{HERE}, state="in_use"}}': "17x300",
    f"db_pool_capacity{{{HERE}}}": "20x300",
    f'process_cpu_seconds_total{{{HERE}, pid="8"}}': "0+50x300",
    f'process_resident_memory_bytes{{{HERE}, pid="8"}}': "300000000x300",
    f'process_resident_memory_bytes{{{HERE}, pid="9"}}': "300000000x300",
    f"node_filesystem_avail_bytes{DISK}": "20000000000-1000x300",
    f"node_filesystem_size_bytes{DISK}": "40000000000x300",
}
"""A service that is well: what is seen of it in each minute of five hours."""
OTHER = 'up{job="madang", instance="other:9464"}'
NEW = 'up{job="madang", instance="new:9464"}'
SLOW = {'le="0.1"': "0+5000x300", 'le="0.2"': "0+5600x300"}

CASES: dict[str, tuple[dict[str, str], dict[str, set[str]]]] = {
    # What is otherwise, by how the series begins or by its last label; then when which alerts fire.
    "all is well": ({}, {"5h": set()}),
    "no container answers": (
        {"up{": "1x60 0x240", OTHER: "1x60 0x240"},
        {"61m": set(), "63m": {"ServiceDown"}},
    ),
    "no container is known": ({"up{": "_x300"}, {"3m": {"ServiceDown"}}),
    "one of two answers": (
        {"up{": "1x60 0x240", OTHER: "1x300"},
        {"63m": set(), "67m": {"ServiceDegraded"}},
    ),
    "one of two is gone": (
        # After a rollout, which has one more for ten minutes.
        {OTHER: "1x120 stale", NEW: "_x60 1x10 stale"},
        {
            "65m": set(),
            "85m": set(),
            "122m": set(),
            "127m": {"ServiceDegraded"},
            "200m": {"ServiceDegraded"},
        },
    ),
    "the name leads nowhere": (
        {"probe_success": "1x60 0x240"},
        {"62m": set(), "64m": {"SiteUnreachable"}},
    ),
    "six in a hundred fail": (
        {"http_server_errors": "0x180 0+360x120"},
        {"185m": set(), "193m": {"ErrorRatioHigh"}},
    ),
    "two in a hundred fail": (
        {"http_server_errors": "0x60 0+120x240"},
        {
            "65m": set(),
            "150m": {"ErrorBudgetBurnsFast", "ErrorBudgetBurns", "ErrorBudgetBurnsSlowly"},
        },
    ),
    "seven in a thousand fail": (
        {"http_server_errors": "0+42x300"},
        {"10m": set(), "5h": {"ErrorBudgetBurns", "ErrorBudgetBurnsSlowly"}},
    ),
    "twelve in ten thousand fail": (
        {"http_server_errors": "0+7.2x300"},
        {"5h": {"ErrorBudgetBurnsSlowly"}},
    ),
    "a crowd comes and goes, and another one stays": (
        {"http_requests_in_progress": "12x60 125x2 12x60 125x180"},
        {"63m": set(), "66m": set(), "124m": set(), "132m": {"Overloaded"}},
    ),
    "a bug is met once": (
        {"unexpected_errors": "0x60 1x240"},
        {"60m": set(), "62m": {"UnexpectedErrors"}, "75m": set()},
    ),
    "a side effect is lost": (
        {"after_commit_failures": "0x60 1x240"},
        {"60m": set(), "62m": {"SideEffectsLost"}},
    ),
    "lines of the log are lost": (
        {"log_lines_lost": "0x60 9x240"},
        {"60m": set(), "62m": {"LogLinesLost"}},
    ),
    "one in fifteen takes two seconds": (
        {
            **SLOW,
            f'{BUCKET}{{{HERE}, le="1.0"}}': "0+5600x300",
            f'{BUCKET}{{{HERE}, le="2.5"}}': "0+6000x300",
        },
        {"9m": set(), "15m": {"LatencyP95High", "LatencyP99High"}},
    ),
    "one in fifteen takes most of a second": (
        {
            **SLOW,
            f'{BUCKET}{{{HERE}, le="0.5"}}': "0+5600x300",
            f'{BUCKET}{{{HERE}, le="1.0"}}': "0+6000x300",
        },
        {"9m": set(), "15m": {"LatencyP95High"}},
    ),
    "passwords are guessed": (
        {"logins_total": "0+60x300"},
        {"10m": set(), "30m": {"LoginsFail"}},
    ),
    "PostgreSQL is gone": (
        {"database_up": "1x60 0x240"},
        {"61m": set(), "63m": {"DatabaseDown"}},
    ),
    "every connection is in use": (
        {"db_pool_connections": "17x60 20x240"},
        {"64m": set(), "67m": {"PoolExhausted"}},
    ),
    "Redis is gone": ({"redis_up": "1x60 0x240"}, {"62m": set(), "64m": {"RedisDown"}}),
    "Redis has too little memory": (
        {"redis_evicted": "0+1200x300"},
        {"10m": set(), "30m": {"RedisEvicts"}},
    ),
    "a worker is always busy": (
        {"process_cpu": "0+58x300"},
        {"8m": set(), "15m": {"ProcessBusy"}},
    ),
    "a container needs all it may": (
        {"process_resident": "350000000x300"},
        {"10m": set(), "20m": {"MemoryHigh"}},
    ),
    "the disk is nearly full": (
        {"node_filesystem_avail": "3900000000x300"},
        {"10m": set(), "20m": {"DiskFilling"}},
    ),
    "the disk will be full in a day": (
        {"node_filesystem_avail": "11000000000-10000000x300"},
        {"10m": set(), "30m": {"DiskFilling"}},
    ),
    "the certificate is not renewed": (
        {"probe_ssl": "1200000x300"},
        {"59m": set(), "70m": {"CertificateEnds"}},
    ),
}


def alerts() -> list[dict[str, Any]]:
    document = yaml.safe_load((RULES / "alerts.yml").read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def test_the_rules_are_valid() -> None:
    check = [str(require("prometheus").with_name("promtool")), "check"]

    subprocess.run([*check, "rules", RULES / "rules.yml", RULES / "alerts.yml"], check=True)
    subprocess.run([*check, "config", "--syntax-only", RULES / "prometheus.yml"], check=True)


@pytest.mark.parametrize("name", CASES)
def test_it_fires_when_it_should_and_not_before(name: str, tmp_path: Path) -> None:
    changes, expected = CASES[name]
    document = {
        "rule_files": [str(RULES / "rules.yml"), str(RULES / "alerts.yml")],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": series, "values": values}
                    for series, values in changed(changes).items()
                ],
                "promql_expr_test": [
                    {
                        "expr": FIRING,
                        "eval_time": when,
                        "exp_samples": [
                            {"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in firing
                        ],
                    }
                    for when, firing in expected.items()
                ],
            }
        ],
    }
    file = tmp_path / "tests.yml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")

    promtool = require("prometheus").with_name("promtool")
    done = subprocess.run(
        [promtool, "test", "rules", file], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_fired_and_kept_from_firing() -> None:
    fired = {name for _, expected in CASES.values() for each in expected.values() for name in each}

    assert fired == {rule["alert"] for rule in alerts()}
    for _, expected in list(CASES.values())[1:]:
        assert any(expected.values())


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_each_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    page = ROOT / rule["annotations"]["runbook"]

    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"]
    assert rule["alert"] in page.read_text(encoding="utf-8")


def test_overload_is_told_of_before_nginx_refuses() -> None:
    nginx = (ROOT / "nginx/nginx.conf").read_text(encoding="utf-8")
    [most] = map(int, re.findall(r"max_conns=(\d+)", nginx))
    [rule] = [rule for rule in alerts() if rule["alert"] == "Overloaded"]

    assert most * 0.75 < int(rule["expr"].split()[-1]) < most * 0.85


def test_nothing_that_is_not_there_is_taken_for_zero() -> None:
    for file in RULES.glob("*.yml"):
        assert "vector(0)" not in file.read_text(encoding="utf-8")


def changed(changes: dict[str, str]) -> dict[str, str]:
    found = {
        series: next(
            (
                values
                for part, values in changes.items()
                if series.startswith(part) or series.endswith(f"{part}}}")
            ),
            usual,
        )
        for series, usual in WELL.items()
    }
    return found | {part: values for part, values in changes.items() if part.endswith("}")}
