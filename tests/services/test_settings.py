"""Settings refuse bad values by name, and never repeat a secret."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import pytest

from services.errors import ConfigurationError
from services.settings import Settings, load_settings

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty folder and an environment that names none of the settings."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIRECTUS_API_KEY", "an-api-key-of-some-length")
    monkeypatch.setenv("DIRECTUS_WEBHOOK_SECRET", "a-webhook-secret-of-some-length")


@pytest.fixture
def strong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIRECTUS_API_KEY", "q7XmZp2LkT9vRw4B")
    monkeypatch.setenv("DIRECTUS_WEBHOOK_SECRET", "1f0c9a5be2d84c7bb0aa")


def test_required_settings_are_asked_for_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"DIRECTUS_API_KEY is required.*DIRECTUS_WEBHOOK_SECRET is required"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEBHOOK_PORT", "eighty"),
        ("WEBHOOK_PORT", "70000"),
        ("DIRECTUS_URL", "directus:8055"),
        ("REDIS_URL", "http://127.0.0.1"),
        ("QDRANT_URL", "127.0.0.1:6333"),
        ("LLM_PROVIDERS", "anthropic,llama"),
        ("LLM_PROVIDERS", ","),
        ("LLM_PROVIDERS", "offline,offline"),
        ("EMBEDDING_PROVIDER", "magic"),
        ("ENVIRONMENT", "prod"),
        ("HISTORY_LIMIT", "-1"),
        ("MAX_ITERATIONS", "0"),
        ("STREAM_INTERVAL_MS", "0"),
        ("LOG_LEVEL", "LOUD"),
        ("PROMPT_VERSION", "latest"),
        ("ANTHROPIC_EFFORT", "maximal"),
        ("OPENAI_TEMPERATURE", "3"),
        ("DEFAULT_CONFERENCE_ID", "foo"),
        ("DEFAULT_CONFERENCE_ID", "87324DC9-9EE0-5A07-9057-3B7B4FEEEECB"),
        ("OPENAI_BASE_URL", "localhost"),
        ("ANTHROPIC_BASE_URL", "ftp:x"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "x y"),
        ("CORS_ORIGINS", "notaurl"),
        ("CORS_ORIGINS", "https://www.example.com,https://www.example.com/a/page"),
        ("DIRECTUS_URL", "http://"),
        ("DIRECTUS_URL", "http://two words"),
        ("DIRECTUS_URL", "embedded://"),
        ("DIRECTUS_PUBLIC_URL", "http:///path"),
        ("WEBHOOK_PUBLIC_URL", "http://127.0.0.1:99999"),
        ("REDIS_URL", "redis://127.0.0.1:port/0"),
        ("REDIS_URL", "redis://127.0.0.1/zero"),
        ("REDIS_URL", "unix://"),
        ("FORWARDED_ALLOW_IPS", ","),
        ("FORWARDED_ALLOW_IPS", "proxy.internal"),
        ("FORWARDED_ALLOW_IPS", "127.0.0.1:8000"),
        ("FORWARDED_ALLOW_IPS", "127.0.0.1 10.0.0.1"),
        ("FORWARDED_ALLOW_IPS", "172.18.0.1/16"),
        ("FORWARDED_ALLOW_IPS", "10.0.0.0/33"),
        ("FORWARDED_ALLOW_IPS", "*,127.0.0.1"),
        ("WEBHOOK_HOST", "not a host"),
        ("WEBHOOK_HOST", "127.0.0.1:8000"),
        ("ANTHROPIC_MODEL", " "),
        ("EMBEDDING_MODEL", " "),
        ("OPENAI_API_KEY", " "),
    ],
)
@pytest.mark.usefixtures("required")
def test_a_bad_value_stops_the_start_and_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    assert str(refused.value).startswith(name)
    assert len(str(refused.value)) > len(name) + 10, "it says what the variable wants"
    assert str(refused.value).endswith("then run: erleah doctor")
    assert "Input should" not in str(refused.value), "in our words"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "redis://"),
        ("REDIS_URL", "redis://:6380/1"),
        ("REDIS_URL", "rediss://user:pass@redis.example:6379"),
        ("REDIS_URL", "unix:///run/redis.sock?db=1"),
        ("REDIS_URL", "embedded://demo"),
        ("QDRANT_URL", "embedded:///somewhere/index"),
        ("FORWARDED_ALLOW_IPS", "*"),
        ("FORWARDED_ALLOW_IPS", "127.0.0.1, ::1,172.16.0.0/12 ,2001:db8::/32"),
        ("WEBHOOK_HOST", "::"),
        ("WEBHOOK_HOST", "erleah_webhook.internal"),
        ("CORS_ORIGINS", "https://www.example.com/, http://localhost:3000"),
        ("OPENAI_BASE_URL", "http://[::1]:11434/v1"),
        ("EMBEDDING_MODEL_PATH", "/models/in/the/workers/container"),
        ("DEFAULT_CONFERENCE_ID", "87324dc9-9ee0-5a07-9057-3b7b4feeeecb"),
    ],
)
@pytest.mark.usefixtures("required")
def test_what_others_may_rightly_want_is_taken(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """redis:// is this machine; the receiver is told the folder of a model that only workers have."""
    monkeypatch.setenv(name, value)
    load_settings()


@pytest.mark.parametrize(
    "name", ["DIRECTUS_API_KEY", "DIRECTUS_WEBHOOK_SECRET", "DIRECTUS_ADMIN_TOKEN", "QDRANT_API_KEY"]
)
@pytest.mark.parametrize(
    "secret",
    [
        "short-hunter2",
        "aaaaaaaaaaaaaaaa",
        "abcabcabcabcabcabc",
        "changemechangeme",
        "passwordpassword",
        "erleah-erleah-erleah",
        "Change-Me-Please-1234567",
        "your_secret_token_here",
    ],
)
@pytest.mark.usefixtures("strong")
def test_production_refuses_a_secret_that_a_template_or_a_tired_hand_made(
    monkeypatch: pytest.MonkeyPatch, name: str, secret: str
) -> None:
    monkeypatch.setenv(name, secret)
    load_settings()
    monkeypatch.setenv("ENVIRONMENT", "production")
    with pytest.raises(ConfigurationError, match=rf"^{name} is too weak for production") as refused:
        load_settings()
    assert secret not in str(refused.value)


@pytest.mark.usefixtures("strong")
def test_production_takes_what_openssl_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    for _ in range(200):
        monkeypatch.setenv("DIRECTUS_WEBHOOK_SECRET", secrets.token_hex(24))
        monkeypatch.setenv("QDRANT_API_KEY", secrets.token_urlsafe(24))
        load_settings()


@pytest.mark.usefixtures("required")
def test_production_refuses_weak_secrets_without_repeating_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("DIRECTUS_WEBHOOK_SECRET", "hunter2")
    with pytest.raises(ConfigurationError, match="DIRECTUS_WEBHOOK_SECRET") as refused:
        load_settings()
    assert "hunter2" not in str(refused.value)


@pytest.mark.usefixtures("required")
def test_any_origin_is_for_development_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", "*")
    assert load_settings().cors_origins == ("*",)
    monkeypatch.setenv("ENVIRONMENT", "staging")
    with pytest.raises(ConfigurationError, match="CORS_ORIGINS"):
        load_settings()


@pytest.mark.usefixtures("required")
def test_addresses_lose_their_trailing_slash_and_lists_their_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIRECTUS_URL", "https://cms.example.com/")
    monkeypatch.setenv("CORS_ORIGINS", "https://a.example , https://b.example,")
    monkeypatch.setenv("QDRANT_API_KEY", "")
    settings = load_settings()
    assert settings.directus_url == settings.browser_directus_url == "https://cms.example.com"
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert settings.qdrant_api_key is None, "an empty value is no value"


@pytest.mark.usefixtures("required")
def test_secrets_do_not_show() -> None:
    assert "api-key" not in repr(load_settings())


def test_a_demo_is_found_only_where_nothing_else_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second terminal beside a demo needs no set-up; a real installation never mixes with one."""
    Path(".erleah").mkdir()
    Path(".erleah/demo.env").write_text(
        "DIRECTUS_API_KEY=demo-key\nDIRECTUS_WEBHOOK_SECRET=demo-secret\nREDIS_URL=redis://127.0.0.1:7777/0\n"
    )
    assert load_settings().redis_url == "redis://127.0.0.1:7777/0"
    Path(".env").write_text("DIRECTUS_API_KEY=own-key\nDIRECTUS_WEBHOOK_SECRET=own-secret\n")
    assert load_settings().directus_api_key.get_secret_value() == "own-key"
    assert load_settings().redis_url == "redis://127.0.0.1:6379/0"
    Path(".env").unlink()
    monkeypatch.setenv("DIRECTUS_API_KEY", "env-key")
    monkeypatch.setenv("DIRECTUS_WEBHOOK_SECRET", "env-secret")
    assert load_settings().redis_url == "redis://127.0.0.1:6379/0"


@pytest.mark.parametrize(
    "line", ["DIRECTUS_API_KEY=own-key", "export DIRECTUS_API_KEY=own-key", "directus_api_key = 'own-key'  # mine"]
)
def test_an_own_key_keeps_a_demo_out_however_it_is_written(line: str) -> None:
    Path(".erleah").mkdir()
    Path(".erleah/demo.env").write_text("DIRECTUS_API_KEY=demo-key\nDIRECTUS_WEBHOOK_SECRET=demo-secret\n")
    Path(".env").write_text(f"{line}\nDIRECTUS_WEBHOOK_SECRET=own-secret\n")
    assert load_settings().directus_api_key.get_secret_value() == "own-key"


@pytest.mark.parametrize("line", ["DIRECTUS_API_KEY=", "export DIRECTUS_API_KEY=''", "# DIRECTUS_API_KEY=own-key", ""])
def test_a_key_left_empty_is_none(line: str) -> None:
    Path(".erleah").mkdir()
    Path(".erleah/demo.env").write_text("DIRECTUS_API_KEY=demo-key\nDIRECTUS_WEBHOOK_SECRET=demo-secret\n")
    Path(".env").write_text(f"{line}\n")
    assert load_settings().directus_api_key.get_secret_value() == "demo-key"


@pytest.mark.usefixtures("required")
def test_the_proxies_are_taken_from_the_file_as_well() -> None:
    Path(".env").write_text("FORWARDED_ALLOW_IPS=172.18.0.1, 10.0.0.0/8\n")
    assert load_settings().forwarded_allow_ips == ("172.18.0.1", "10.0.0.0/8")
    assert load_settings(forwarded_allow_ips="*").forwarded_allow_ips == ("*",)


def test_the_example_names_every_setting_with_its_default() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    written = dict(re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", text, re.MULTILINE))
    assert {name.upper() for name in Settings.model_fields} <= set(written), "compose.yaml has some of its own"
    defaults = Settings(directus_api_key="k", directus_webhook_secret="s", _env_file=None)
    for name in Settings.model_fields:
        default = getattr(defaults, name)
        if default is None or name in {"directus_api_key", "directus_webhook_secret"}:
            assert written[name.upper()] == ""
        elif isinstance(default, tuple):
            assert written[name.upper()] == ",".join(default)
        elif isinstance(default, float):
            assert float(written[name.upper()]) == default
        else:
            assert written[name.upper()] == str(default)


def test_who_has_set_nothing_is_told_of_the_demo_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As after a demo's end: he never had a key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIRECTUS_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match=r"or start a demo in this folder \(erleah demo\)"):
        load_settings()
    Path(".env").write_text("DIRECTUS_URL=http://127.0.0.1:8055\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    assert "demo" not in str(refused.value)


def test_a_file_that_is_no_text_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As Windows's editor may save it."""
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("DIRECTUS_API_KEY=k\n", encoding="utf-16")
    with pytest.raises(ConfigurationError, match=r"^\.env is no text in UTF-8"):
        load_settings()
