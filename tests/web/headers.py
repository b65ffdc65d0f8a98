"""What every answer says to a browser, whatever it is."""

from typing import Any

EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def wrong_headers(answer: Any, *, kept: str = "no-store") -> dict[str, str]:
    """Headers that are not as they should be. `kept`: what Cache-Control must say."""
    found = {name: answer.get(name, "") for name, value in EVERYWHERE.items() if answer.get(name) != value}
    if kept not in answer.get("Cache-Control", ""):
        found["Cache-Control"] = answer.get("Cache-Control", "")
    policy = answer.get("Content-Security-Policy", "")
    for part in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
        if part not in policy.split("; "):
            found["Content-Security-Policy"] = policy
    if "unsafe-inline" in policy or "*" in policy:
        found["Content-Security-Policy"] = policy
    if answer.get("Referrer-Policy") not in ("same-origin", "no-referrer"):
        found["Referrer-Policy"] = answer.get("Referrer-Policy", "")
    if "camera=()" not in answer.get("Permissions-Policy", ""):
        found["Permissions-Policy"] = answer.get("Permissions-Policy", "")
    for name in ("Server", "X-Powered-By"):
        if name in answer:
            found[name] = answer[name]
    return found
