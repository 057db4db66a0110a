"""Where templates, migrations and examples lie: beside the code in a checkout, inside the package in a wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_ROOT = _PACKAGE.parent
IN_CHECKOUT = (_ROOT / "pyproject.toml").is_file() and (_ROOT / "templates").is_dir()


def folder(name: str) -> Path:
    """The folder `name` ("templates", "migrations", "examples"); FileNotFoundError if the install lacks it."""
    path = (_ROOT if IN_CHECKOUT else _PACKAGE / "_bundled") / name
    if not path.is_dir():
        raise FileNotFoundError(f"this install of the outreach engine has no {name} folder ({path})")
    return path
