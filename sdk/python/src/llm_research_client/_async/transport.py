"""Sends requests: credentials, tries, errors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from .. import _core
from ..config import Config, Login
from ..errors import ApiError, AuthenticationError, ConfigurationError, NetworkError


class AsyncTransport:
    def __init__(self, config: Config, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.config = config
        self.http = httpx.AsyncClient(
            base_url=config.base_url, timeout=_core.timeout_of(config), transport=transport, follow_redirects=False
        )
        self._lock = asyncio.Lock()
        self._token: str | None = None
        self._token_end = 0.0
        self._refresh: str | None = None

    async def aclose(self) -> None:
        await self.http.aclose()

    async def request(self, method: str, path: str, **what: Any) -> httpx.Response:
        """The answer, read, when it is a success. Raises LlmResearchError."""
        return await self.send(_core.spec_of(self.config, method, path, **what))

    async def json(self, method: str, path: str, kind: Any, **what: Any) -> Any:
        """The answer as `kind`."""
        return _core.read_as(kind, _core.read_json(await self.request(method, path, **what)))

    async def send(self, spec: _core.Spec) -> httpx.Response:
        tries = 0
        renewed = False
        while True:
            tries += 1
            headers = await self._headers(spec)
            try:
                response = await self._once(spec, headers)
                _core.raise_for(response)
                return response
            except AuthenticationError:
                if renewed or not spec.signed or spec.once or not isinstance(self.config.auth, Login):
                    raise
                renewed = True
                self._token = None
                continue
            except (NetworkError, ApiError) as error:
                wait = _core.delay_before(self.config, spec, tries, error)
                if wait is None:
                    raise
                self.config.logger.info("%s %s: %s; again in %.1f s", spec.method, spec.path, error, wait)
            await asyncio.sleep(wait)

    async def _once(self, spec: _core.Spec, headers: dict[str, str]) -> httpx.Response:
        try:
            response = await self.http.request(
                spec.method, spec.path, params=spec.params or None, headers=headers, content=spec.content
            )
        except httpx.TransportError as error:
            raise _core.network_error(error) from error
        except RuntimeError as error:
            if self.http.is_closed:
                raise ConfigurationError("the client is closed") from error
            raise
        self.config.logger.debug("%s %s: %d", spec.method, spec.path, response.status_code)
        return response

    @asynccontextmanager
    async def stream(self, spec: _core.Spec, timeout: httpx.Timeout | None = None) -> AsyncIterator[httpx.Response]:
        """The answer before its body is read, when it is a success; not tried again."""
        try:
            async with self.http.stream(
                spec.method,
                spec.path,
                params=spec.params or None,
                headers=await self._headers(spec),
                content=spec.content,
                timeout=timeout or _core.timeout_of(self.config),
            ) as response:
                if not response.is_success:
                    await response.aread()
                    _core.raise_for(response)
                yield response
        except httpx.TransportError as error:
            raise _core.network_error(error) from error

    async def _headers(self, spec: _core.Spec) -> dict[str, str]:
        if not spec.signed:
            return spec.headers
        token = await self._login_token() if isinstance(self.config.auth, Login) else None
        return {**spec.headers, **_core.credential_headers(self.config, token)}

    async def _login_token(self) -> str | None:
        """A token that is still good; refreshed, or from a new login."""
        auth = self.config.auth
        assert isinstance(auth, Login)
        async with self._lock:
            if self._token is not None and time.monotonic() < self._token_end:
                return self._token
            pair: dict[str, Any] | None = None
            if self._refresh is not None:
                used, self._refresh = self._refresh, None  # good for one use
                try:
                    pair = await self._tokens("/auth/refresh", {"refresh_token": used})
                except AuthenticationError:
                    self.config.logger.info("the refresh token is no longer good: logging in")
            if pair is None:
                pair = await self._tokens("/auth/login", {"email": auth.email, "password": auth.password}, True)
            self._token = pair["access_token"]
            self._refresh = pair.get("refresh_token")
            life = float(pair["expires_in"])
            self._token_end = time.monotonic() + max(life / 2, life - _core.TOKEN_MARGIN)
            return self._token

    async def _tokens(self, path: str, body: dict[str, str], harmless: bool = False) -> dict[str, Any]:
        """Logging in twice does no harm; a refresh token that is used twice ends the login."""
        answer = await self.request("POST", path, body=body, signed=False, harmless=harmless)
        pair: dict[str, Any] = _core.read_json(answer)
        return pair
