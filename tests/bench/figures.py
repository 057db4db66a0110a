"""Figures as machines read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def rounded(figures: Mapping[str, Any], digits: int) -> dict[str, Any]:
    """Fractions to so many digits; whatever else is given stays as it is."""
    return {name: round(value, digits) if isinstance(value, float) else value for name, value in figures.items()}
