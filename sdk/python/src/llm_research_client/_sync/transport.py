"""Sends requests: credentials, tries, errors."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from .. import _core
from ..config import Config, Login
from ..errors import ApiError, AuthenticationError, ConfigurationError, NetworkError


class Transport:
    def __init__(self, config: Config, transport: httpx.BaseTransport | None = None) -> None:
        self.config = config
        self.http = httpx.Client(
            base_url=config.base_url, timeout=_core.timeout_of(config), transport=transport, follow_redirects=False
        )
        self._lock = threading.Lock()
        self._token: str | None = None
        self._token_end = 0.0
        self._refresh: str | None = None

    def close(self) -> None:
        self.http.close()

    def request(self, method: str, path: str, **what: Any) -> httpx.Response:
        """The answer, read, when it is a success. Raises LlmResearchError."""
        return self.send(_core.spec_of(self.config, method, path, **what))

    def json(self, method: str, path: str, kind: Any, **what: Any) -> Any:
        """The answer as `kind`."""
        return _core.read_as(kind, _core.read_json(self.request(method, path, **what)))

    def send(self, spec: _core.Spec) -> httpx.Response:
        tries = 0
        renewed = False
        while True:
            tries += 1
            headers = self._headers(spec)
            try:
                response = self._once(spec, headers)
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
            time.sleep(wait)

    def _once(self, spec: _core.Spec, headers: dict[str, str]) -> httpx.Response:
        try:
            response = self.http.request(
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

    @contextmanager
    def stream(self, spec: _core.Spec, timeout: httpx.Timeout | None = None) -> Iterator[httpx.Response]:
        """The answer before its body is read, when it is a success; not tried again."""
        try:
            with self.http.stream(
                spec.method,
                spec.path,
                params=spec.params or None,
                headers=self._headers(spec),
                content=spec.content,
                timeout=timeout or _core.timeout_of(self.config),
            ) as response:
                if not response.is_success:
                    response.read()
                    _core.raise_for(response)
                yield response
        except httpx.TransportError as error:
            raise _core.network_error(error) from error

    def _headers(self, spec: _core.Spec) -> dict[str, str]:
        if not spec.signed:
            return spec.headers
        token = self._login_token() if isinstance(self.config.auth, Login) else None
        return {**spec.headers, **_core.credential_headers(self.config, token)}

    def _login_token(self) -> str | None:
        """A token that is still good; refreshed, or from a new login."""
        auth = self.config.auth
        assert isinstance(auth, Login)
        with self._lock:
            if self._token is not None and time.monotonic() < self._token_end:
                return self._token
            pair: dict[str, Any] | None = None
            if self._refresh is not None:
                used, self._refresh = self._refresh, None  # good for one use
                try:
                    pair = self._tokens("/auth/refresh", {"refresh_token": used})
                except AuthenticationError:
                    self.config.logger.info("the refresh token is no longer good: logging in")
            if pair is None:
                pair = self._tokens("/auth/login", {"email": auth.email, "password": auth.password}, True)
            self._token = pair["access_token"]
            self._refresh = pair.get("refresh_token")
            life = float(pair["expires_in"])
            self._token_end = time.monotonic() + max(life / 2, life - _core.TOKEN_MARGIN)
            return self._token

    def _tokens(self, path: str, body: dict[str, str], harmless: bool = False) -> dict[str, Any]:
        """Logging in twice does no harm; a refresh token that is used twice ends the login."""
        answer = self.request("POST", path, body=body, signed=False, harmless=harmless)
        pair: dict[str, Any] = _core.read_json(answer)
        return pair
