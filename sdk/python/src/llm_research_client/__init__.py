"""Client of the LLM Research Lab service."""

from . import models, requests
from ._async.client import AsyncClient
from ._async.resources import AsyncClientRun
from ._core import Event
from ._sync.client import Client
from ._sync.resources import ClientRun
from ._version import VERSION as __version__
from .base import Page, frame_of
from .config import AdminKey, ApiKey, Bearer, Config, Login
from .errors import (
    ApiError,
    AuthenticationError,
    AuthorizationError,
    ConfigurationError,
    ConflictError,
    InvalidStateError,
    LlmResearchError,
    NetworkError,
    NotFoundError,
    RateLimitedError,
    SerializationError,
    ServerError,
    TimeoutError,
    ValidationError,
)

__all__ = [
    "AdminKey",
    "ApiError",
    "ApiKey",
    "AsyncClient",
    "AsyncClientRun",
    "AuthenticationError",
    "AuthorizationError",
    "Bearer",
    "Client",
    "ClientRun",
    "Config",
    "ConfigurationError",
    "ConflictError",
    "Event",
    "InvalidStateError",
    "LlmResearchError",
    "Login",
    "NetworkError",
    "NotFoundError",
    "Page",
    "RateLimitedError",
    "SerializationError",
    "ServerError",
    "TimeoutError",
    "ValidationError",
    "__version__",
    "frame_of",
    "models",
    "requests",
]
