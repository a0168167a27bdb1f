"""The last net for secrets in text that others wrote: drivers, servers, configuration errors."""

import re

REDACTED = "[redacted]"

# Every repetition before a value is bounded, so that hostile text costs linear time.
_SECRET = re.compile(
    r"""
    ( postgres\w{0,3}(?:\+\w{1,16})?://[^\s/:@]{0,128}: ) \S{1,512} (?=@)   # a password may hold a bare slash
    | ( ://[^\s/:@]{0,128}: ) [^\s/]{1,512} (?=@)
    | ( (?:passw(?:or)?d|pwd|api[_-]?key|authorization) ["']? \s{0,4} [=:,] \s{0,4}
        (?:(?:basic|bearer|digest)\s{1,4})?
      | \bbearer\s{1,4}
      )
      (?: b?"(?:[^"\\\n]|\\.)*" | b?'(?:[^'\\\n]|\\.)*' | \S+ )
    """,
    re.IGNORECASE | re.VERBOSE,
)


def redact(text: str) -> str:
    """Replace passwords, API keys, `Authorization` values and passwords in URLs.

    It rather hides a word too many: an unquoted value ends at white space only.
    """
    return _SECRET.sub(rf"\1\2\3{REDACTED}", text)
