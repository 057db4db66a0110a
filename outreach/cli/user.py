"""`outreach user …`: the people who sign in."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from outreach import accounts
from outreach.cli import base
from outreach.cli.base import Json
from outreach.errors import BadInput
from outreach.models import Role, User

app = typer.Typer(help="The people who sign in.", no_args_is_help=True)

FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
WithLink = Annotated[bool, typer.Option("--link", help="Print a link that signs in once, within the hour.")]


@app.command()
def add(
    email: Annotated[str, typer.Argument(metavar="EMAIL")],
    name: Annotated[str, typer.Option("--name", help="What the audit log and the pages call them.")],
    role: Annotated[Role, typer.Option("--role", help="organizer: campaigns; staff: the queue, too.")],
    password_stdin: FromStdin = False,
    link: WithLink = False,
    as_json: Json = False,
) -> None:
    """Make an account. Without --password-stdin it signs in by link only."""
    password = _password_given() if password_stdin else ""
    with base.engine() as engine:
        now = engine.now()
        with engine.db.begin() as session:
            user = accounts.add(session, email, name=name, role=role, password=password, now=now, actor="cli")
            url = _link(engine, session, user, now) if link else ""
    if as_json:
        base.emit({**_shown(user), **({"link": url} if link else {})})
        return
    base.out.print(f"Added {user.email} as {user.role}.", markup=False)
    if url:
        base.out.print(f"Signs in once, within the hour: {url}", markup=False)
    elif not password:
        base.out.print(f"It has no password yet. Sign in by link: outreach user link {user.email}", markup=False)


@app.command()
def link(email: Annotated[str, typer.Argument(metavar="EMAIL")], as_json: Json = False) -> None:
    """Print a link that signs somebody in once, within the hour. Whoever has it is them."""
    with base.engine() as engine:
        now = engine.now()
        with engine.db.begin() as session:
            url = _link(engine, session, accounts.find(session, email), now)
    if as_json:
        base.emit({"link": url, "expires_at": now + accounts.LINK_LIFE})
    else:
        base.out.print(url, markup=False)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Show all accounts."""
    with base.engine() as engine, engine.db.read() as session:
        users = [_shown(user) for user in accounts.everyone(session)]
    if as_json:
        base.emit({"users": users})
        return
    if not users:
        base.out.print("No accounts yet. Make one: outreach user add EMAIL --name NAME --role staff --link")
    for user in users:
        state = "disabled" if user["disabled"] else "by password or link" if user["has_password"] else "by link only"
        base.row(user["email"], user["name"], user["role"], state)


@app.command()
def disable(email: Annotated[str, typer.Argument(metavar="EMAIL")], as_json: Json = False) -> None:
    """Close an account. Whoever is signed in with it is out at once."""
    with base.engine() as engine, engine.db.begin() as session:
        user = accounts.find(session, email)
        changed = accounts.disable(session, user, now=engine.now(), actor="cli")
    if as_json:
        base.emit({**_shown(user), "changed": changed})
    else:
        base.out.print(f"{user.email} is disabled." if changed else f"{user.email} was disabled already.", markup=False)


@app.command()
def passwd(
    email: Annotated[str, typer.Argument(metavar="EMAIL")], password_stdin: FromStdin = False, as_json: Json = False
) -> None:
    """Give an account a new password. Every session and unused link of it ends."""
    password = _password_given() if password_stdin else _password_asked()
    with base.engine() as engine, engine.db.begin() as session:
        user = accounts.find(session, email)
        accounts.set_password(session, user, password, now=engine.now(), actor="cli")
    if as_json:
        base.emit(_shown(user))
    else:
        base.out.print(f"{user.email} has a new password; every older session has ended.", markup=False)


def _shown(user: User) -> dict[str, Any]:
    return {
        "email": user.email,
        "name": user.name,
        "role": str(user.role),
        "has_password": bool(user.password_hash),
        "disabled": user.disabled_at is not None,
        "created_at": user.created_at,
    }


def _link(engine: base.Engine, session: Session, user: User, now: datetime) -> str:
    return accounts.sign_in_link(session, user, keys=engine.keys, settings=engine.settings, now=now)


def _password_given() -> str:
    """The first line of standard input: a command line would show the password to everybody on the machine."""
    password = sys.stdin.readline().rstrip("\r\n")
    accounts.check_password(password)
    return password


def _password_asked() -> str:
    if not sys.stdin.isatty():
        raise BadInput(
            "There is nobody to ask for the password.", where="passwd", advice="Pipe it in, with --password-stdin."
        )
    password: str = typer.prompt("New password", hide_input=True, confirmation_prompt=True)
    accounts.check_password(password)
    return password
