"""docker-compose.yml, the image and the lock files, read as data: no container engine is needed to check them."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from celery.bin.celery import celery as celery_command

from workers.app import QUEUES

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
LASTING = sorted(set(SERVICES) - {"migrate"})


def test_the_services_are_the_documented_ones() -> None:
    assert {"web", "worker", "beat", "postgres", "redis"} <= set(SERVICES)


def test_the_processes_run_the_documented_commands() -> None:
    commands = {name: service.get("command") for name, service in SERVICES.items()}

    assert commands["web"] == "outreach web"
    assert commands["worker"] == "celery -A workers.app worker -Q act,letters,news,chores"
    assert commands["beat"] == "celery -A workers.app beat"
    assert commands["migrate"] == "outreach init"


def test_every_command_exists_in_what_the_image_installs() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    for service in SERVICES.values():
        command = service.get("command")
        if not isinstance(command, str):
            continue
        program, *words = shlex.split(command)
        if program == "celery":
            assert words[2] in celery_command.commands
        else:
            assert program in scripts


def test_every_queue_is_heard() -> None:
    heard = {
        queue
        for service in SERVICES.values()
        if (found := re.search(r"-Q (\S+)", str(service.get("command"))))
        for queue in found[1].split(",")
    }

    assert heard == set(QUEUES)


@pytest.mark.parametrize("name", LASTING)
def test_every_service_is_watched_and_started_again(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert SERVICES[name]["stop_grace_period"] == "45s"


def test_nothing_starts_before_the_database_is_at_the_right_step() -> None:
    for name in ("web", "worker", "act", "beat"):
        assert SERVICES[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert SERVICES["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"


def test_no_secret_stands_in_the_files() -> None:
    secret = re.compile(r"(PASSWORD|SECRET|KEY|AUTH|TOKEN)", re.I)
    for service in SERVICES.values():
        for name, value in (service.get("environment") or {}).items():
            if secret.search(name):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", str(value)), f"{name} is not asked for"
    for line in (ROOT / ".env.example").read_text().splitlines():
        name, _, value = line.lstrip("#").partition("=")
        if secret.search(name) and re.fullmatch(r"[A-Z_]+", name):
            assert value == "", f"{name} has a value somebody will keep"


def test_what_compose_asks_for_is_in_the_example_file() -> None:
    asked = set(re.findall(r"\$\{(\w+):\?", (ROOT / "docker-compose.yml").read_text()))
    offered = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.M))

    assert asked <= offered


def test_only_the_pages_can_be_reached_from_outside_and_only_from_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert published == {"web": ["${WEB_ADDRESS:-127.0.0.1:8000}:8000"]}


def test_what_must_last_lies_in_volumes() -> None:
    mounted = {v.split(":")[0] for service in SERVICES.values() for v in service.get("volumes", [])}

    assert mounted == set(COMPOSE["volumes"]) == {"outreach", "postgres", "redis"}


def test_the_image_runs_without_rights_and_takes_packages_by_hash() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()

    assert "--require-hashes" in dockerfile
    assert re.search(r"^USER (?!root)\w+", dockerfile, re.M)
    assert (ROOT / ".dockerignore").read_text().split("\n")[1] == "*", "what is not named stays out, .env above all"


def _names(lines: list[str]) -> set[str]:
    names = (re.match(r"[A-Za-z0-9._-]+", line) for line in lines)
    return {re.sub(r"[-_.]+", "-", found[0]).lower() for found in names if found}


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_dependency_is_locked_with_a_hash_and_no_index_is_named(lock: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = _names(project["project"]["dependencies"])
    if lock == "requirements-dev.lock":
        wanted |= _names(project["dependency-groups"]["dev"])
    text = (ROOT / lock).read_text()
    pins = re.findall(r"^([\w.-]+)==\S+.*?((?:\s*\\\n\s+--hash=sha256:[0-9a-f]{64})+)", text, re.M)
    assert len(pins) == len(re.findall(r"^[\w.-]+==", text, re.M)), "every pin has a hash"

    assert wanted <= _names([name for name, _ in pins])
    assert not re.search(r"https?://|--index-url|--find-links|--trusted-host", text)


def test_the_development_lock_holds_the_other_at_the_same_versions() -> None:
    pins = [
        set(re.findall(r"^[\w.-]+==\S+", (ROOT / lock).read_text(), re.M))
        for lock in ("requirements.lock", "requirements-dev.lock")
    ]

    assert pins[0] <= pins[1]


def test_the_sources_name_no_folder_of_the_machine_they_were_written_on() -> None:
    machine = re.compile(r"(?<![\w.~])/(work|home/\w+|root)/")
    found = [
        str(path.relative_to(ROOT))
        for folder in ("outreach", "workers", "migrations", "templates", "examples")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".html", ".txt", ".sh"} and machine.search(path.read_text())
    ]

    assert found == []
