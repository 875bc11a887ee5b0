"""Gemini through google-genai: the only package that knows it."""

from tenantai.providers.gemini.chat import CONTEXT_TOKENS, GeminiChat
from tenantai.providers.gemini.embedding import GeminiEmbedding

__all__ = ["CONTEXT_TOKENS", "GeminiChat", "GeminiEmbedding"]
