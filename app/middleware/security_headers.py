"""What every answer tells browsers: that it is data, to be taken for nothing else, and shown in nobody's frame."""

from starlette.types import Scope

from app.middleware.stack import Step

# https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html#security-headers
# Strict-Transport-Security is not among them: it belongs to whatever ends TLS.
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
_POLICY = b"content-security-policy"
_NOTHING = (*_ALWAYS, (_POLICY, b"default-src 'none'; frame-ancestors 'none'"))


class SecurityHeadersMiddleware(Step):
    """Adds them. An answer that has a Content-Security-Policy keeps it: a page with scripts."""

    def answer(self, _: Scope, __: int, headers: list[tuple[bytes, bytes]]) -> None:
        headers.extend(_ALWAYS if any(name == _POLICY for name, _ in headers) else _NOTHING)
