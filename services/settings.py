"""Every setting of Erleah: one typed class, read from the environment, ``.env`` or a running demo.

A bad value stops the start with a ``ConfigurationError`` that names the variable and what it wants.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, NoDecode, SettingsConfigDict

from services.errors import ConfigurationError

__all__ = ["DEMO_ENV_FILE", "Environment", "Settings", "load_settings"]

DEMO_ENV_FILE = Path(".erleah/demo.env")
"""Where a running ``erleah demo`` leaves its settings, relative to the working directory."""

_MIN_SECRET_LENGTH = 16
"""Shorter secrets are refused in production: 16 random characters of base64 are 96 bits."""

_WEAK_SECRETS = frozenset({"secret", "changeme", "change-me", "password", "test", "demo", "erleah"})


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

    redis_url: str = "redis://127.0.0.1:6379/0"
    qdrant_url: str = "http://127.0.0.1:6333"
    qdrant_api_key: SecretStr | None = None
    qdrant_quantized: bool = False
    qdrant_on_disk: bool = False

    embedding_provider: Literal["openai", "fastembed", "local"] = "openai"
    embedding_model: str = "text-embedding-3-small"
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
    anthropic_model: str = "claude-sonnet-5-5"
    anthropic_fast_model: str = "claude-haiku-5-5"
    openai_model: str = "gpt-4o-mini"
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
    default_conference_id: str | None = None

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"
    sentry_dsn: SecretStr | None = None
    otel_exporter_otlp_endpoint: str | None = None

    @field_validator("directus_url", "directus_public_url", "webhook_public_url", "qdrant_url")
    @classmethod
    def _without_trailing_slash(cls, value: str | None) -> str | None:
        if value is None or value.startswith("embedded://"):
            return value
        if not value.startswith(("http://", "https://")):
            msg = "wants an address that begins with http:// or https://"
            raise ValueError(msg)
        return value.rstrip("/")

    @field_validator("redis_url")
    @classmethod
    def _redis_scheme(cls, value: str) -> str:
        if not value.startswith(("redis://", "rediss://", "unix://", "embedded://")):
            msg = "wants redis://, rediss://, unix:// or embedded://"
            raise ValueError(msg)
        return value

    @field_validator("cors_origins", "llm_providers", mode="before")
    @classmethod
    def _comma_list(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
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
        if self.environment is Environment.PRODUCTION:
            for name in ("directus_api_key", "directus_webhook_secret"):
                secret = getattr(self, name).get_secret_value()
                if len(secret) < _MIN_SECRET_LENGTH or secret.lower() in _WEAK_SECRETS:
                    msg = (
                        f"{name.upper()}: too weak for production; wants at least "
                        f"{_MIN_SECRET_LENGTH} random characters (openssl rand -hex 24)"
                    )
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

    Raises ConfigurationError: one line per bad variable, its name first.
    """
    env_files: tuple[Path, ...] = (Path(".env"),)
    configured = "DIRECTUS_API_KEY" in os.environ or "directus_api_key" in overrides
    if not configured and DEMO_ENV_FILE.is_file() and not _names_api_key(Path(".env")):
        env_files = (DEMO_ENV_FILE,)
    try:
        return Settings(_env_file=env_files, **overrides)
    except ValidationError as error:
        raise ConfigurationError(_explain(error)) from None


def _names_api_key(path: Path) -> bool:
    return bool(DotEnvSettingsSource(Settings, env_file=path).env_vars.get("directus_api_key"))


def _explain(error: ValidationError) -> str:
    """One line per bad variable; never the value, which may be a secret."""
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        name = str(problem["loc"][0]).upper() if problem["loc"] else ""
        if problem["type"] == "missing":
            what = "is required; set it in the environment or in .env (see .env.example)"
        else:
            what = problem["msg"].removeprefix("Value error, ")
        lines.append(f"{name} {what}".strip())
    return "; ".join(lines)
