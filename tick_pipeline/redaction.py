"""What must not leave this process: credentials that a message may quote."""

from __future__ import annotations

import re

_SECRET = re.compile(
    r"(?i)((?:AWS_)?(?:secret_?access_?key|session_?token|security-?token|signature|credential)"
    r"[\"']?\s*[=:]\s*[\"']?)[^\s\"',&]+|\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"
)


def without_secrets(text: str) -> str:
    """A message without keys, tokens or signatures that it may quote."""
    return _SECRET.sub(lambda match: f"{match[1] or ''}***", text)
