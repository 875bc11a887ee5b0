"""Settings of one server process, from a TOML file and `TENANTAI_*` variables; the variable wins.

What must stay true: an unknown name is an error, and every field here is read by something.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

PREFIX = "TENANTAI_"
CLIENT_VARIABLES = frozenset({"URL", "API_KEY", "CONFIG", "WEB_PASSWORD"})
WORKSHOP_VARIABLES = frozenset({"TEST_MODELS", "STREAM_CLIENT", "CRANFIELD"})
NEAR = 0.6
RETENTION_DAYS_MIN = 62
MEBIBYTE = 1024 * 1024


def _listed(value: Any) -> Any:
    """Return what a text lists with commas, as a variable has it; a file's list as it is."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _networks(value: Any) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(str(part)) for part in _listed(value))
    except (TypeError, ValueError):
        raise ValueError("must be networks such as 10.1.0.0/16, with commas between them") from None


def _retained(days: int) -> int:
    """Return how many days are kept; the limits of a billing month are proved from its events, so two months at least."""
    if days and days < RETENTION_DAYS_MIN:
        raise ValueError(f"must be 0, or at least {RETENTION_DAYS_MIN}")
    return days


RetentionDays = Annotated[int, Field(ge=0, le=36_500), AfterValidator(_retained)]
Origin = Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]+$")]
Origins = Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(_listed)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_networks)]


class Plan(BaseModel):
    """What a tenant on this plan may use."""

    model_config = ConfigDict(extra="forbid")

    requests_per_minute: int = Field(default=100, ge=1)
    """Requests within any 60 seconds."""
    requests_per_hour: int = Field(default=1_000, ge=1)
    """Requests within any 3,600 seconds."""
    requests_per_day: int = Field(default=10_000, ge=1)
    """Requests from midnight to midnight, UTC."""
    requests_per_month: int = Field(default=100_000, ge=1)
    """Requests of a billing month, which begins on the day of the month on which the tenant was made."""
    tokens_per_month: int = Field(default=5_000_000, ge=0)
    """Tokens of models, in and out, of a billing month."""
    streams: int = Field(default=10, ge=1)
    """Streams open at once."""
    stream_seconds: float = Field(default=60, gt=0)
    """How long one stream may last."""
    storage_bytes: int = Field(default=10 * 1024 * MEBIBYTE, ge=0)
    """Bytes of uploaded files kept at once."""


class Plans(BaseModel):
    """The plans, by name."""

    model_config = ConfigDict(extra="forbid")

    free: Plan = Plan(
        requests_per_minute=20,
        requests_per_hour=200,
        requests_per_day=1_000,
        requests_per_month=10_000,
        tokens_per_month=200_000,
        streams=3,
        storage_bytes=500 * MEBIBYTE,
    )
    pro: Plan = Plan()
    enterprise: Plan = Plan(
        requests_per_minute=2_000,
        requests_per_hour=50_000,
        requests_per_day=500_000,
        requests_per_month=10_000_000,
        tokens_per_month=500_000_000,
        streams=100,
        stream_seconds=300,
        storage_bytes=1024 * 1024 * MEBIBYTE,
    )

    def named(self, name: str) -> Plan:
        """Return a plan by its name, the smallest where the name is no longer known."""
        return {"pro": self.pro, "enterprise": self.enterprise}.get(name, self.free)


class Settings(BaseSettings):
    """Everything an operator can set."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", populate_by_name=True, env_ignore_empty=True
    )

    data_dir: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("tenantai", appauthor=False)))
    """Where records, files, indexes, models and the operator's key live."""
    host: str = "127.0.0.1"
    """The address to listen on."""
    port: int = Field(default=8420, ge=0, le=65535)
    """The port to listen on; 0 takes a free one."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least level that is logged."""
    log_format: Literal["auto", "console", "json"] = "auto"
    """How log lines look: `console` for people, `json` for machines; `auto` is `console` on a terminal."""
    provider: Literal["auto", "gemini", "openai", "embedded"] = "auto"
    """Who answers chats: `auto` is `gemini` where a Gemini key is set, else `embedded`."""
    gemini_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("gemini_api_key", "TENANTAI_GEMINI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"),
    )
    """The key for Gemini; the plain `GEMINI_API_KEY` and `GOOGLE_API_KEY` are read as well."""
    gemini_base_url: str | None = None
    """Another address of the Gemini API, for a proxy or a test."""
    gemini_model: str = "gemini-2.5-flash"
    """The Gemini model that answers chats."""
    openai_base_url: str = "http://127.0.0.1:11434/v1"
    """A server that speaks the OpenAI API; the default is Ollama's."""
    openai_api_key: SecretStr | None = None
    """The key for that server, where it wants one."""
    openai_model: str = "llama3.2"
    """The model that answers chats there."""
    openai_embedding_model: str = "nomic-embed-text"
    """The model that embeds texts there."""
    vision: Literal["auto", "gemini", "openai", "detector", "none"] = "auto"
    """Who looks at pictures for the estimator: `auto` is who answers chats, and for `embedded` the `detector` with its file."""
    detector: str = Field(default="d-fine-s-coco", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    """The detector on this machine: the folder within `models` in which its `model.onnx` lies."""
    gemini_vision_model: str | None = None
    """The Gemini model that looks at pictures; the one that answers chats where it is not set."""
    openai_vision_model: str | None = None
    """The model that looks at pictures there; the one that answers chats where it is not set."""
    picture_processes: int = Field(default=2, ge=1, le=64)
    """How many processes read pictures; each may take 1280 MB while it reads a huge one."""
    embedding: Literal["local", "gemini", "openai"] = "local"
    """Who embeds documents and questions."""
    trusted_proxies: Networks = ()
    """Addresses or networks of proxies whose `X-Forwarded-For` is believed, with commas between them."""
    cors_origins: Origins = ()
    """Origins of pages that may call the API from browsers, such as https://app.example.com, with commas between them."""
    tool_networks_allowed: Networks = ()
    """Private networks that tenants' functions may lie in, with commas between them; plain `http` goes there only."""
    registration: Literal["open", "closed"] = "open"
    """Whether anyone who reaches the server may register a tenant."""
    registrations_per_hour: int = Field(default=10, ge=1)
    """How many registrations one address may make in an hour."""
    body_bytes_max: int = Field(default=MEBIBYTE, ge=1024)
    """The largest JSON body that is read."""
    upload_bytes_max: int = Field(default=100 * MEBIBYTE, ge=1)
    """The largest file that is taken."""
    extraction_seconds_max: float = Field(default=60, gt=0)
    """How long the text of one file may take to extract."""
    search_memory_bytes_max: int = Field(default=1024 * MEBIBYTE, ge=MEBIBYTE)
    """How much memory search indexes may hold; the least recently used tenant's goes first."""
    usage_retention_days: RetentionDays = 400
    """How many days usage stays in the database (at least 62) before whole months of it become archives; 0 keeps it there."""
    audit_retention_days: RetentionDays = 400
    """How many days audit entries stay in the database (at least 62) before whole months become archives; 0 keeps them there."""
    analytics_memory_bytes_max: int = Field(default=256 * MEBIBYTE, ge=64 * MEBIBYTE)
    """How much memory analytics (DuckDB) may hold; what takes more is put on disk for the while."""
    analytics_threads: int = Field(default=1, ge=1, le=64)
    """How many threads may work on one question to analytics."""
    analytics_seconds_max: float = Field(default=5, gt=0)
    """How long one question to analytics may take."""
    shutdown_timeout_seconds: float = Field(default=10, ge=0)
    """How long open requests may take to end after SIGTERM."""
    plans: Plans = Plans()
    """The plans and their limits."""
    operator_key: SecretStr | None = Field(default=None, min_length=32)
    """The operator's key, of 32 characters or more; without it one is made at the first start and kept in `operator.key`."""

    @property
    def chat_provider(self) -> Literal["gemini", "openai", "embedded"]:
        """Who answers chats once `auto` is resolved."""
        if self.provider == "auto":
            return "gemini" if self.gemini_api_key else "embedded"
        return self.provider

    @property
    def vision_provider(self) -> Literal["gemini", "openai", "detector", "none"]:
        """Who looks at pictures once `auto` is resolved."""
        if self.vision != "auto":
            return self.vision
        if self.chat_provider == "embedded":
            return "detector" if self.detector_file.is_file() else "none"
        return self.chat_provider

    @property
    def detector_file(self) -> Path:
        """Where the detector's file lies."""
        return self.data_dir / "models" / self.detector / "model.onnx"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take arguments first, then variables, then the file."""
        del dotenv_settings, file_secret_settings
        return (
            init_settings,
            env_settings,
            TomlConfigSettingsSource(settings_cls, settings_cls.model_config.get("toml_file")),
        )


class UnknownSettings(ValueError):  # noqa: N818  read as a sentence, like the errors of tenantai.errors
    """Names in the environment that no setting has."""


class SettingsIncomplete(ValueError):  # noqa: N818
    """A setting is chosen that needs another one."""


def load_settings(config: Path | None = None, *, environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """Return the settings; raises UnknownSettings, pydantic's ValidationError or OSError, each naming what is wrong."""
    refuse_unknown(os.environ if environment is None else environment)
    if config is None:
        return Settings(**given)
    config.read_bytes()

    class FileSettings(Settings):
        model_config = SettingsConfigDict(toml_file=config)

    return FileSettings(**given)


def refuse_unknown(environment: Mapping[str, str]) -> None:
    """Raise UnknownSettings for `TENANTAI_*` variables that no setting has, each with the nearest one that there is."""
    known = {*_names(Settings), *CLIENT_VARIABLES, *WORKSHOP_VARIABLES}
    given = {name: name.upper().removeprefix(PREFIX) for name in sorted(environment) if name.upper().startswith(PREFIX)}
    unknown = [f"{name} is no setting ({_advice(bare, known)})" for name, bare in given.items() if bare not in known]
    if unknown:
        raise UnknownSettings("; ".join(unknown))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like another, None where none is."""
    return next(iter(get_close_matches(name, known, n=1, cutoff=NEAR)), None)


def setting_names() -> list[str]:
    """Return the settings' names as a file has them, nested ones joined by dots."""
    return [name.lower().replace("__", ".") for name in _names(Settings)]


def _names(shape: type[BaseModel], before: str = "") -> Iterator[str]:
    """Yield a variable's name without its prefix for each field, and for each of a field's own."""
    for name, field in shape.model_fields.items():
        yield before + name.upper()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _names(field.annotation, f"{before}{name.upper()}__")


def _advice(name: str, known: set[str]) -> str:
    meant = nearest(name, sorted(known - WORKSHOP_VARIABLES))
    return f"did you mean {PREFIX}{meant}?" if meant else "unset it"
