"""Which models a server works with, by its settings; a provider's packages are imported only where it is chosen."""

from pathlib import Path

from pydantic import SecretStr

from tenantai.figures.catalogue import items
from tenantai.providers.protocols import ChatModel, EmbeddingModel, VisionModel
from tenantai.settings import Settings, SettingsIncomplete

LOCAL_MODEL = "all-MiniLM-L6-v2-int8"


def models_folder(settings: Settings) -> Path:
    """Return where local model files lie."""
    return settings.data_dir / "models"


def require_keys(settings: Settings) -> None:
    """Raise SettingsIncomplete where what is chosen needs a key that is not set."""
    if "gemini" in {settings.chat_provider, settings.embedding, settings.vision_provider}:
        _key(settings.gemini_api_key)


def chat_model(settings: Settings, embedding: EmbeddingModel) -> ChatModel:
    """Return the model that answers; the embedded one quotes by way of the embedding model. Raises SettingsIncomplete."""
    if settings.chat_provider == "gemini":
        from tenantai.providers.gemini import GeminiChat  # noqa: PLC0415  half a second of imports that others need not pay

        return GeminiChat(_key(settings.gemini_api_key), settings.gemini_base_url, model=settings.gemini_model)
    if settings.chat_provider == "openai":
        from tenantai.providers.openai_compatible import OpenAIChat  # noqa: PLC0415

        return OpenAIChat(settings.openai_base_url, _optional(settings.openai_api_key), settings.openai_model)
    from tenantai.providers.extractive import ExtractiveChat  # noqa: PLC0415

    return ExtractiveChat(embedding)


def vision_model(settings: Settings) -> VisionModel | None:
    """Return the model that looks at pictures, None where none is chosen. Raises SettingsIncomplete."""
    if settings.vision_provider == "none":
        return None
    if settings.vision_provider == "detector":
        from tenantai.providers.detector import Detector  # noqa: PLC0415  as above

        return Detector(settings.detector_file, name=settings.detector)
    from tenantai.providers.vision import SeeingModel  # noqa: PLC0415

    return SeeingModel(_seeing_chat(settings), names=[name.replace("_", " ") for name in items()])


def _seeing_chat(settings: Settings) -> ChatModel:
    if settings.vision_provider == "gemini":
        from tenantai.providers.gemini import GeminiChat  # noqa: PLC0415

        model = settings.gemini_vision_model or settings.gemini_model
        return GeminiChat(_key(settings.gemini_api_key), settings.gemini_base_url, model=model)
    from tenantai.providers.openai_compatible import OpenAIChat  # noqa: PLC0415

    model = settings.openai_vision_model or settings.openai_model
    return OpenAIChat(settings.openai_base_url, _optional(settings.openai_api_key), model)


def embedding_model(settings: Settings, *, begins: bool = False) -> EmbeddingModel:
    """Return the model that embeds documents and questions; a local one may begin to be read now. Raises SettingsIncomplete."""
    if settings.embedding == "gemini":
        from tenantai.providers.gemini import GeminiEmbedding  # noqa: PLC0415

        return GeminiEmbedding(_key(settings.gemini_api_key), settings.gemini_base_url)
    if settings.embedding == "openai":
        from tenantai.providers.openai_compatible import OpenAIEmbedding  # noqa: PLC0415

        return OpenAIEmbedding(settings.openai_base_url, _optional(settings.openai_api_key), settings.openai_embedding_model)
    from tenantai.providers.catalog import model_folder  # noqa: PLC0415
    from tenantai.providers.local_embedding import LocalEmbedding  # noqa: PLC0415

    embedding = LocalEmbedding(model_folder(LOCAL_MODEL, models_folder(settings)))
    if begins:
        embedding.begin()
    return embedding


def _key(secret: SecretStr | None) -> str:
    if secret is None:
        raise SettingsIncomplete("Gemini is chosen, but no key is set: set GEMINI_API_KEY.")
    return secret.get_secret_value()


def _optional(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
