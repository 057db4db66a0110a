"""The reason that people give for an act: one line, for everybody who looks at what it stopped."""

from __future__ import annotations

from outreach.web.forms import FormState

LONGEST = 200


def reason_in(form: FormState) -> tuple[str, dict[str, str]]:
    """The reason on one line, and what is wrong with it."""
    reason = " ".join(form.values.get("reason", "").split())
    if not reason:
        return "", {"reason": "Say why. Everybody who looks at the queue will see it."}
    if len(reason) > LONGEST:
        return reason, {"reason": f"Use at most {LONGEST} characters."}
    return reason, {}
