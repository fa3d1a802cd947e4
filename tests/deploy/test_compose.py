"""What compose.yaml and the Containerfile promise to whoever runs them."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.main import COMMANDS
from services.settings import Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("bootstrap", "webhook", "worker")
LONG_RUNNING = tuple(name for name in SERVICES if name != "bootstrap")
CONTAINERFILE = (ROOT / "Containerfile").read_text(encoding="utf-8")

SETTINGS = {name.upper() for name in Settings.model_fields}

DIRECTUS = {
    "SECRET",
    "PUBLIC_URL",
    "ADMIN_EMAIL",
    "ADMIN_PASSWORD",
    "ADMIN_TOKEN",
    "DB_CLIENT",
    "DB_HOST",
    "DB_PORT",
    "DB_DATABASE",
    "DB_USER",
    "DB_PASSWORD",
    "WEBSOCKETS_ENABLED",
    "WEBSOCKETS_REST_AUTH",
    "CACHE_SCHEMA_FREEZE_ENABLED",
    "CORS_ENABLED",
    "CORS_ORIGIN",
    "FLOWS_ENV_ALLOW_LIST",
    "DIRECTUS_WEBHOOK_SECRET",
}
"""Directus's own variables, and the one that its Flows may read."""


def interpolations(text: str) -> dict[str, tuple[str, str]]:
    """Each ``${NAME:-default}`` or ``${NAME:?message}`` of a text: the operator and what follows."""
    return {name: (how, rest) for name, how, rest in re.findall(r"\$\{([A-Z_]+)(:[-?])([^}]*)\}", text)}


def environment(service: str) -> dict[str, str]:
    return dict(SERVICES[service].get("environment", {}))


def test_all_parts_are_there() -> None:
    """Directus with Postgres, Redis, Qdrant, the receiver, workers, and the one-shot that makes collections."""
    assert set(SERVICES) == {"postgres", "redis", "qdrant", "directus", "bootstrap", "webhook", "worker"}


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_every_service_says_whether_it_is_healthy(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] == "CMD"
    assert {"interval", "timeout", "retries"} <= set(check)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_nothing_starts_before_what_it_needs_is_healthy(name: str) -> None:
    """Each dependency waits for health; the one-shot must have ended well."""
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        expected = "service_completed_successfully" if needed == "bootstrap" else "service_healthy"
        assert how == {"condition": expected}, needed


@pytest.mark.parametrize("name", ["webhook", "worker"])
def test_receiver_and_workers_wait_for_everything(name: str) -> None:
    assert set(SERVICES[name]["depends_on"]) == {"bootstrap", "directus", "redis", "qdrant"}


def test_workers_scale() -> None:
    """``--scale worker=N`` needs neither a fixed name nor a port of the host."""
    assert not {"container_name", "ports", "hostname"} & set(SERVICES["worker"])
    assert not any("container_name" in service for service in SERVICES.values())


def test_only_directus_and_the_receiver_are_published_and_on_the_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"directus", "webhook"}
    assert all(port.startswith("${PUBLISH_ON:-127.0.0.1}:") for ports in published.values() for port in ports)


def test_the_stores_reach_nothing_outside() -> None:
    assert COMPOSE["networks"]["stores"] == {"internal": True}
    for store in ("postgres", "redis", "qdrant"):
        assert SERVICES[store]["networks"] == ["stores"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_images_are_pinned(name: str) -> None:
    tag = SERVICES[name]["image"].rpartition(":")[2]
    assert re.fullmatch(r"v?\d+\.\d+(\.\d+)?(-[a-z0-9.]+)?", tag)


def test_one_image_serves_all_of_our_processes() -> None:
    assert {SERVICES[name]["image"] for name in OURS} == {
        "erleah:" + tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    }
    assert {SERVICES[name]["command"][0] for name in OURS} <= set(COMMANDS)


@pytest.mark.parametrize("name", OURS)
def test_our_variables_are_real_settings(name: str) -> None:
    """A name that Settings does not know would be ignored in silence."""
    assert set(environment(name)) <= SETTINGS


def test_every_setting_can_be_set() -> None:
    """What a container can't be given, an operator can't change."""
    fixed_by_the_image = {"WEBHOOK_HOST"}
    given = set(environment("worker")) | set(environment("bootstrap"))
    assert given | fixed_by_the_image == SETTINGS, "each setting wants its line in compose.yaml"


@pytest.mark.parametrize("name", ["webhook", "worker"])
def test_defaults_are_those_of_the_settings(name: str) -> None:
    """Unset means the same in a container as elsewhere, but for ENVIRONMENT, which is production here."""
    defaults = {
        variable: rest
        for variable, (how, rest) in interpolations("\n".join(map(str, environment(name).values()))).items()
        if how == ":-" and rest and variable in SETTINGS and variable not in {"ENVIRONMENT", "DIRECTUS_PUBLIC_URL"}
    }
    made = Settings.model_validate(
        {"directus_api_key": "a", "directus_webhook_secret": "b"}
        | {variable.lower(): text for variable, text in defaults.items()}
    )
    plain = Settings.model_validate({"directus_api_key": "a", "directus_webhook_secret": "b"})
    assert made == plain


def test_directus_has_what_visitors_and_flows_need() -> None:
    """WebSocket, an explicit origin, and the hook's secret for its Flows alone."""
    given = environment("directus")
    assert set(given) == DIRECTUS
    assert given["WEBSOCKETS_ENABLED"] == given["CORS_ENABLED"] == "true"
    assert "*" not in given["CORS_ORIGIN"]
    assert given["FLOWS_ENV_ALLOW_LIST"] == "DIRECTUS_WEBHOOK_SECRET"
    assert SERVICES["bootstrap"]["command"] == ["bootstrap", "--secret-from-env"]


def test_secrets_are_required_and_say_what_they_want() -> None:
    """No secret has a default; a missing one stops the start with what to do."""
    found = interpolations(TEXT)
    optional = {"OPENAI_API_KEY", "ANTHROPIC_API_KEY"}
    secrets = {name for name in found if name.endswith(("KEY", "TOKEN", "SECRET", "PASSWORD"))} - optional
    assert secrets >= {"DIRECTUS_API_KEY", "DIRECTUS_WEBHOOK_SECRET", "DIRECTUS_SECRET", "POSTGRES_PASSWORD"}
    for name in secrets:
        how, message = found[name]
        assert how == ":?", name
        assert message.startswith("set it in .env"), name
    for name in optional:
        assert found[name] == (":-", "")


def test_the_administrators_token_goes_where_it_is_needed_alone() -> None:
    holders = {name for name in SERVICES if "DIRECTUS_ADMIN_TOKEN" in str(environment(name))}
    assert holders == {"bootstrap", "directus"}


def test_the_example_names_every_variable() -> None:
    """What can be set is in .env.example, for settings and for compose.yaml alike."""
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:# )?([A-Z_]+)=", example, re.MULTILINE))
    assert named >= set(interpolations(TEXT)) | SETTINGS
    assert named <= set(interpolations(TEXT)) | SETTINGS, "what nothing reads has no place there"


def test_the_example_leaves_containers_in_production() -> None:
    """A copied .env.example sets no ENVIRONMENT, which would override compose.yaml's own."""
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert not re.search(r"^ENVIRONMENT=", example, re.MULTILINE)
    assert interpolations(TEXT)["ENVIRONMENT"] == (":-", "production")


@pytest.mark.parametrize("name", ["webhook", "worker"])
def test_each_process_is_asked_after_what_it_is(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"] == ["CMD", "erleah", "health", "--role", name]


def test_redis_keeps_what_waits() -> None:
    """An append-only file, a volume, and no eviction: the queue is in there."""
    command = " ".join(SERVICES["redis"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert SERVICES["redis"]["volumes"] == ["redis:/data"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_resources_are_bounded(name: str) -> None:
    limits = SERVICES[name]["deploy"]["resources"]["limits"]
    assert {"cpus", "memory"} == set(limits)
    assert SERVICES[name]["logging"]["options"]["max-size"]


@pytest.mark.parametrize("name", OURS)
def test_our_containers_can_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]


def test_a_worker_has_time_to_hand_over() -> None:
    """The grace of the container is longer than the worker's own 20 s and its 10 s of closing."""
    assert int(SERVICES["worker"]["stop_grace_period"].removesuffix("s")) > 30


def test_the_image_runs_as_nobody_in_particular_and_holds_no_compiler() -> None:
    """Two stages; the last has a user, a health check and a command, and installs no build tools."""
    build, final = re.split(r"^FROM .*$", CONTAINERFILE, flags=re.MULTILINE)[1:]
    assert "build-essential" in build
    assert "build-essential" not in final
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert "HEALTHCHECK" in final
    assert '["erleah", "health", "--role", "webhook"]' in final
    assert "ca-certificates" in final
    assert 'CMD ["webhook"]' in final


def test_the_build_sees_the_packages_and_nothing_else() -> None:
    """.dockerignore lets in what the wheel is made of: no secret, no test, no history."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert rules[0] == "*"
    allowed = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert allowed == {*packages, "pyproject.toml", "README.md", "LICENSE"}


def test_the_check_of_qdrant_tells_ready_from_not(tmp_path: Path) -> None:
    """Its shell line is right: bash can read it, and it fails where nothing listens."""
    *_, script = SERVICES["qdrant"]["healthcheck"]["test"]
    assert subprocess.run(("/bin/bash", "-n", "-c", script), check=False, cwd=tmp_path).returncode == 0  # noqa: S603 - our own file's line
    closed = script.replace("127.0.0.1/6333", "127.0.0.1/1")
    ended = subprocess.run(("/bin/bash", "-c", closed), check=False, cwd=tmp_path, stderr=subprocess.DEVNULL)  # noqa: S603 - as above
    assert ended.returncode != 0
