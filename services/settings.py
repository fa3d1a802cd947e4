"""Every setting of Erleah: one typed class, read from the environment, ``.env`` or a running demo.

A bad value stops the start with a ``ConfigurationError`` that names the variable and what it wants; what a value must
be beyond its type is in ``services/setting_problems.py``.
"""

from __future__ import annotations

import os
import re
from enum import StrEnum
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, DotEnvSettingsSource, NoDecode, SettingsConfigDict

from services.errors import ConfigurationError
from services.setting_problems import EMBEDDED, in_words, unreal

__all__ = ["DEMO_ENV_FILE", "Environment", "Settings", "load_settings"]

DEMO_ENV_FILE = Path(".erleah/demo.env")
"""Where a running ``erleah demo`` leaves its settings, relative to the working directory."""

_HOST_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Environment(StrEnum):
    """Where this process runs; production is strict about secrets and silent about internals."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


class Settings(BaseSettings):
    """All settings, by the name of their environment variable in lower case."""

    model_config = SettingsConfigDict(env_file=None, extra="ignore", env_ignore_empty=True, frozen=True)

    environment: Environment = Environment.DEVELOPMENT

    directus_url: str = "http://127.0.0.1:8055"
    directus_public_url: str | None = Field(
        default=None, description="where visitors' browsers reach Directus; DIRECTUS_URL when unset"
    )
    directus_api_key: SecretStr
    directus_admin_token: SecretStr | None = None
    directus_webhook_secret: SecretStr

    webhook_host: str = "127.0.0.1"
    webhook_port: Annotated[int, Field(ge=0, le=65535)] = 8000
    webhook_public_url: str = "http://127.0.0.1:8000"
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    rate_limit_per_minute: Annotated[int, Field(ge=1, le=100_000)] = 60
    forwarded_allow_ips: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("127.0.0.1",), description="proxies whose X-Forwarded-For is believed; * believes anyone's"
    )

    redis_url: str = "redis://127.0.0.1:6379/0"
    qdrant_url: str = "http://127.0.0.1:6333"
    qdrant_api_key: SecretStr | None = None
    qdrant_quantized: bool = False
    qdrant_on_disk: bool = False
    qdrant_tenant_index: bool = True

    embedding_provider: Literal["openai", "fastembed", "local"] = "openai"
    embedding_model: Name = "text-embedding-3-small"
    embedding_dimensions: Annotated[int, Field(ge=1, le=8192)] = 1536
    embedding_model_path: Path | None = None
    openai_api_key: SecretStr | None = None
    openai_base_url: str | None = None

    llm_providers: Annotated[tuple[Literal["anthropic", "openai", "offline"], ...], NoDecode] = (
        "anthropic",
        "openai",
        "offline",
    )
    anthropic_api_key: SecretStr | None = None
    anthropic_base_url: str | None = None
    anthropic_model: Name = "claude-sonnet-5-5"
    anthropic_fast_model: Name = "claude-haiku-5-5"
    openai_model: Name = "gpt-4o-mini"
    llm_max_tokens: Annotated[int, Field(ge=16, le=64_000)] = 1024
    llm_timeout_s: Annotated[float, Field(gt=0, le=600)] = 30.0
    anthropic_effort: Literal["low", "medium", "high"] = "low"
    openai_temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    prompt_version: Annotated[str, Field(pattern=r"^v[0-9]+$")] = "v1"
    facet_writer: Literal["auto", "template", "model"] = "auto"

    history_limit: Annotated[int, Field(ge=0, le=100)] = 10
    max_iterations: Annotated[int, Field(ge=1, le=20)] = 5
    turn_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 120.0
    turn_max_tokens: Annotated[int, Field(ge=100, le=10_000_000)] = 50_000
    turn_max_cost_usd: Annotated[float, Field(gt=0, le=1000)] = 0.50
    stream_interval_ms: Annotated[int, Field(ge=10, le=10_000)] = 100
    worker_max_turns: Annotated[int, Field(ge=1, le=10_000)] = 200
    record_turns_days: Annotated[int, Field(ge=0, le=90)] = 7
    reindex_every_min: Annotated[int, Field(ge=0, le=10_080)] = 60
    default_conference_id: str | None = None

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"
    sentry_dsn: SecretStr | None = None
    otel_exporter_otlp_endpoint: str | None = None

    @field_validator("directus_url", "directus_public_url", "webhook_public_url", "qdrant_url")
    @classmethod
    def _without_trailing_slash(cls, value: str | None) -> str | None:
        return value if value is None or value.startswith(EMBEDDED) else value.rstrip("/")

    @field_validator("redis_url")
    @classmethod
    def _redis_address(cls, value: str) -> str:
        # A host left out (redis://) is this machine and no database is 0, as everywhere with Redis.
        if value.startswith(EMBEDDED):
            return value
        if not value.startswith(("redis://", "rediss://", "unix://")):
            msg = "wants redis://, rediss://, unix:// or embedded://"
            raise ValueError(msg)
        try:
            parts = urlsplit(value)
            _ = parts.port  # raises ValueError for what is none
        except ValueError:
            fits = False
        else:
            wanted = "/.*[^/].*" if parts.scheme == "unix" else "(/[0-9]*)?"
            fits = re.fullmatch(wanted, parts.path) is not None and re.search(r"\s", value) is None
        if not fits:
            msg = "wants a host, a port and the number of a database, redis://HOST:6379/0, or unix:///PATH"
            raise ValueError(msg)
        return value

    @field_validator("webhook_host")
    @classmethod
    def _is_a_host(cls, value: str) -> str:
        try:
            ip_address(value)
        except ValueError:
            if not _HOST_NAME.fullmatch(value):
                msg = "wants the name or IP address of this machine, without port and brackets"
                raise ValueError(msg) from None
        return value

    @field_validator("cors_origins", "forwarded_allow_ips", "llm_providers", mode="before")
    @classmethod
    def _comma_list(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("forwarded_allow_ips")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        # The HTTP server takes what it can't read for a name, which no peer ever has: nobody would be believed.
        if not value or (value != ("*",) and not all(_is_ip(part) for part in value)):
            msg = (
                "wants IP addresses or networks of proxies with commas between, a network by its first address, "
                "e.g. 127.0.0.1,172.16.0.0/12, or * alone"
            )
            raise ValueError(msg)
        return value

    @field_validator("llm_providers")
    @classmethod
    def _at_least_one_provider(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) != len(value):
            msg = "wants at least one of anthropic, openai, offline, each once"
            raise ValueError(msg)
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fit_together(self) -> Settings:
        if "*" in self.cors_origins and self.environment is not Environment.DEVELOPMENT:
            msg = "CORS_ORIGINS: '*' is for development only; list the widgets' origins"
            raise ValueError(msg)
        return self

    @property
    def is_production(self) -> bool:
        """Whether answers to outsiders must say nothing internal."""
        return self.environment is Environment.PRODUCTION

    @property
    def browser_directus_url(self) -> str:
        """Where a visitor's browser reaches Directus."""
        return self.directus_public_url or self.directus_url


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401 - one value per setting, each of its own type
    """Read the settings from the environment, then ``.env``, then a running demo's file.

    The demo's file counts only when neither names DIRECTUS_API_KEY, so that a second terminal
    beside ``erleah demo`` needs no set-up and a real installation never mixes with a demo.

    Raises ConfigurationError: for each bad variable its name and what it wants; at the end what to do then.
    """
    own, env_files = Path(".env"), (Path(".env"),)
    configured = "DIRECTUS_API_KEY" in os.environ or "directus_api_key" in overrides
    try:
        if not configured and DEMO_ENV_FILE.is_file() and not _names_api_key(own):
            env_files = (DEMO_ENV_FILE,)
        settings = Settings(_env_file=env_files, **overrides)
    except UnicodeDecodeError:
        raise ConfigurationError(".env is no text in UTF-8; save it as that, then run: erleah doctor") from None
    except ValidationError as error:
        # Never the value, which may be a secret.
        problems = [
            in_words(problem, Settings.model_fields) for problem in error.errors(include_input=False, include_url=False)
        ]
    else:
        problems = list(unreal(dict(settings), Settings.model_fields, is_production=settings.is_production))
    if problems:
        places = "the environment or in .env (see .env.example)"
        if not configured and not own.is_file():
            places += ", or start a demo in this folder (erleah demo)"
        raise ConfigurationError("; ".join([*problems, f"set it in {places}, then run: erleah doctor"]))
    return settings


def _names_api_key(path: Path) -> bool:
    return bool(DotEnvSettingsSource(Settings, env_file=path).env_vars.get("directus_api_key"))


def _is_ip(value: str) -> bool:
    """Whether it is one address, or a network that begins with its own first address."""
    try:
        ip_network(value) if "/" in value else ip_address(value)
    except ValueError:
        return False
    return True
