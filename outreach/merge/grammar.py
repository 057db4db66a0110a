"""What a letter's template may hold: fields, short fixed text, `if`, and one plain loop over the demands.

The list below is of what is *allowed*; whatever Jinja2 can do beyond it is refused by name, with its line. What is
left over cannot call, compute, allocate or reach into anything. Before it is compiled, each field becomes a plain
name (`signer.city` → `signer_city`), so that a compiled letter holds no attribute access at all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches

from jinja2 import StrictUndefined, nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from outreach.domain.letters import FIELD_NAMES
from outreach.errors import BadTemplate

#: Characters of one part's source, before anything reads it.
SOURCE_LIMIT = 40_000
_DEPTH_LIMIT = 12
_FIXED_TEXT_LIMIT = 500
_FIXED_NUMBER_LIMIT = 9999

FILTERS = ("capitalize", "default", "length", "lower", "title", "trim", "upper")
_LOOP_FIELDS = ("loop.index", "loop.first", "loop.last")
_FIRST = {"signer": "name", "target": "name", "campaign": "title"}
_OWNERS = tuple(_FIRST)
#: `signer.city` as templates write it → `signer_city` as it is compiled.
FLAT = {name: name.replace(".", "_") for name in FIELD_NAMES}
_TAKEN = frozenset({*_OWNERS, *FLAT.values(), "loop"})

_SEE_FIELDS = "Run `outreach letter fields` to see what there is."
_SEE_RULES = "Letters may use merge fields, {% if %}, and {% for demand in demands %}; nothing else."
_UNCARRIED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PLACEHOLDER = re.compile(r"\[\s*(?:your|first|last|full|my)?\s*name\s*\]", re.IGNORECASE)

#: What people would call the things that are refused.
_NAMES: dict[type[nodes.Node], str] = {
    nodes.Assign: "“{% set %}”",
    nodes.AssignBlock: "“{% set %}”",
    nodes.Block: "“{% block %}”",
    nodes.CallBlock: "“{% call %}”",
    nodes.Extends: "“{% extends %}”",
    nodes.FilterBlock: "“{% filter %}”",
    nodes.FromImport: "“{% from %}”",
    nodes.Import: "“{% import %}”",
    nodes.Include: "“{% include %}”",
    nodes.Macro: "“{% macro %}”",
    nodes.Scope: "“{% autoescape %}”",
    nodes.With: "“{% with %}”",
    nodes.Test: "A test with “is”",
    nodes.List: "A list",
    nodes.Tuple: "A list",
    nodes.Dict: "A dictionary",
    nodes.Add: "“+”",
    nodes.Sub: "“-”",
    nodes.Mul: "“*”",
    nodes.Div: "“/”",
    nodes.FloorDiv: "“//”",
    nodes.Mod: "“%”",
    nodes.Pow: "“**”",
    nodes.Neg: "“-”",
    nodes.Pos: "“+”",
}


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True, cache_size=0
    )
    environment.globals.clear()
    environment.tests.clear()
    environment.filters = {name: environment.filters[name] for name in FILTERS}
    return environment


ENVIRONMENT = _environment()


def parse(part: str, source: str) -> nodes.Template:
    """One part of a letter ("subject", "letter body", …), read and found allowed; fields are plain names.

    Raises BadTemplate with the part and line.
    """
    if len(source) > SOURCE_LIMIT:
        raise BadTemplate(
            f"This has {len(source):,} characters; a part of a letter may have {SOURCE_LIMIT:,}.", where=part
        )
    if found := _UNCARRIED.search(source):
        raise _bad(part, _line_at(source, found.start()), f"The character U+{ord(found[0]):04X} cannot be in a letter.",
                   "Delete it; it may be invisible.")  # fmt: skip
    source = unicodedata.normalize("NFC", source).replace("\t", "    ")
    if found := _PLACEHOLDER.search(source):
        raise _bad(part, _line_at(source, found.start()), f"“{found[0]}” would be sent as it stands.",
                   "Write {{ signer.name }} where the name belongs.")  # fmt: skip
    try:
        tree = ENVIRONMENT.parse(source)
    except TemplateSyntaxError as error:
        raise _bad(part, error.lineno, f"This cannot be read: {_short(error.message or '', 160)}", _SEE_RULES) from None
    except (RecursionError, ValueError, OverflowError, MemoryError):
        raise _bad(part, 1, "Something in here is nested too deeply, or is too large a number.", _SEE_RULES) from None
    _Walk(part).statements(tree.body)
    flat = _Flat().visit(tree)
    assert isinstance(flat, nodes.Template)  # noqa: S101 (a template stays one)
    return flat


def fields_in(tree: nodes.Template) -> frozenset[str]:
    """The merge fields that a read part names."""
    used = {name.name for name in tree.find_all(nodes.Name)}
    return frozenset(field for field, flat in FLAT.items() if flat in used)


def prints_own_words(tree: nodes.Template) -> bool:
    """Whether a read part writes the signer's own words somewhere, and does not only ask whether there are any."""
    own_words = FLAT["signer.own_words"]
    return any(name.name == own_words for output in tree.find_all(nodes.Output) for name in output.find_all(nodes.Name))


class _Walk:
    """A walk over one part that lets pass what letters may use, and raises BadTemplate at the first thing else."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._demand: str | None = None  #: the loop's own name, while inside the loop

    def statements(self, body: Sequence[nodes.Node], depth: int = 0) -> None:
        self._refuse_depth(body, depth)
        for node in body:
            if isinstance(node, nodes.Output):
                for piece in node.nodes:
                    if not isinstance(piece, nodes.TemplateData):
                        self._value(piece, depth + 1)
            elif isinstance(node, nodes.If):
                if len(node.elif_) > _DEPTH_LIMIT:
                    raise self._bad(node, f"An “if” can have at most {_DEPTH_LIMIT} “elif”.")
                self._value(node.test, depth + 1, lists=True)
                self.statements(node.body, depth + 1)
                self.statements(node.elif_, depth)
                self.statements(node.else_, depth + 1)
            elif isinstance(node, nodes.For):
                self._loop(node, depth + 1)
            else:
                raise self._refused(node)

    def _loop(self, node: nodes.For, depth: int) -> None:
        if self._demand is not None:
            raise self._bad(node, "A loop inside a loop is not possible in a letter.")
        if not (isinstance(node.iter, nodes.Name) and node.iter.name == "demands") or node.recursive or node.test:
            raise self._bad(node, "Only the plain loop over the demands is possible in a letter.")
        if not isinstance(node.target, nodes.Name) or node.target.name in _TAKEN:
            raise self._bad(node, "The loop needs a name of its own for each demand.")
        self._demand = node.target.name
        self.statements(node.body, depth)
        self._demand = None
        self.statements(node.else_, depth)

    def _value(self, node: nodes.Node, depth: int, *, lists: bool = False) -> None:
        """Allow one expression. `lists`: whether `demands` itself may stand here, as in `{% if demands %}`."""
        self._refuse_depth([node], depth)
        if isinstance(node, nodes.Const):
            self._constant(node)
        elif isinstance(node, (nodes.Name, nodes.Getattr, nodes.Getitem)):
            self._field(node, lists=lists)
        elif isinstance(node, nodes.Filter):
            self._filter(node, depth)
        elif isinstance(node, nodes.CondExpr):
            if node.expr2 is None:
                raise self._bad(node, "An “if” without an “else” has nothing to write when it does not hold.")
            self._value(node.test, depth + 1, lists=True)
            self._value(node.expr1, depth + 1)
            self._value(node.expr2, depth + 1)
        elif isinstance(node, (nodes.And, nodes.Or, nodes.Not, nodes.Compare, nodes.Operand, nodes.Concat)):
            children = list(node.iter_child_nodes())
            if len(children) > _DEPTH_LIMIT:
                raise self._bad(node, "This has too many parts for one expression.")
            for child in children:
                self._value(child, depth + 1, lists=lists)
        else:
            raise self._refused(node)

    def _constant(self, node: nodes.Const) -> None:
        if isinstance(node.value, str) and len(node.value) > _FIXED_TEXT_LIMIT:
            raise self._bad(node, f"A text in quotes can have at most {_FIXED_TEXT_LIMIT} characters.")
        if isinstance(node.value, (int, float)) and not abs(node.value) <= _FIXED_NUMBER_LIMIT:
            raise self._bad(node, f"A number can be at most {_FIXED_NUMBER_LIMIT}.")

    def _filter(self, node: nodes.Filter, depth: int) -> None:
        if node.name not in FILTERS:
            near = get_close_matches(node.name, FILTERS, 1)
            advice = f"Did you mean “{near[0]}”?" if near else f"Letters have: {', '.join(FILTERS)}."
            raise self._bad(node, f"The filter “{_short(node.name)}” is not allowed in a letter.", advice)
        if node.kwargs or node.dyn_args or node.dyn_kwargs:
            raise self._bad(node, f"The filter “{node.name}” takes no such arguments here.")
        for argument in node.args:
            if not isinstance(argument, nodes.Const):
                raise self._bad(node, f"The filter “{node.name}” takes fixed text only.")
            self._constant(argument)
        if node.node is None:
            raise self._refused(node)
        self._value(node.node, depth + 1, lists=node.name == "length")

    def _field(self, node: nodes.Name | nodes.Getattr | nodes.Getitem, *, lists: bool) -> None:
        name = _written(node)
        if name == "demands":
            if not lists:
                raise self._bad(node, "“demands” is a list.", "Write {% for demand in demands %} around it.")
        elif name in FIELD_NAMES or (self._demand is not None and name in (self._demand, *_LOOP_FIELDS)):
            return
        elif name in _LOOP_FIELDS:
            raise self._bad(node, f"“{name}” has a meaning only inside the loop over the demands.")
        elif name in _OWNERS:
            raise self._bad(node, f"“{name}” alone is no text.", f"Did you mean {name}.{_FIRST[name]}? {_SEE_FIELDS}")
        else:
            raise self._bad(node, f"There is no merge field “{_short(name)}”.", _nearest(name))

    def _refuse_depth(self, found: Sequence[nodes.Node], depth: int) -> None:
        if found and depth > _DEPTH_LIMIT:
            raise self._bad(found[0], "This is nested too deeply for a letter.")

    def _refused(self, node: nodes.Node) -> BadTemplate:
        name = _NAMES.get(type(node), f"“{type(node).__name__}”")
        if isinstance(node, nodes.Call):
            name = f"Calling “{_short(_written(node.node))}(…)”"
        return self._bad(node, f"{name} is not allowed in a letter.")

    def _bad(self, node: nodes.Node, message: str, advice: str = _SEE_RULES) -> BadTemplate:
        lines = (found.lineno for found in (node, *node.iter_child_nodes()))
        return _bad(self._part, next(filter(None, lines), 1), message, advice)


def _written(node: nodes.Node) -> str:
    """`node` as its author wrote it, as far as it is names: `signer["city"]` and `signer.city` alike."""
    trail: list[str] = []
    while isinstance(node, (nodes.Getattr, nodes.Getitem)) and len(trail) < 8:
        if isinstance(node, nodes.Getattr):
            trail.append(node.attr)
        else:
            trail.append(str(node.arg.value)[:40] if isinstance(node.arg, nodes.Const) else "[…]")
        node = node.node
    trail.append(node.name if isinstance(node, nodes.Name) else "…")
    return ".".join(reversed(trail))


def _nearest(name: str) -> str:
    by_end = {field.rpartition(".")[2]: field for field in reversed(FIELD_NAMES)}
    ends = get_close_matches(name.rpartition(".")[2], by_end, 1, 0.75)
    near = get_close_matches(name, FIELD_NAMES, 1, 0.7) or [by_end[end] for end in ends]
    return f"Did you mean {near[0]}? {_SEE_FIELDS}" if near else _SEE_FIELDS


def _short(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _line_at(source: str, position: int) -> int:
    return source.count("\n", 0, position) + 1


def _bad(part: str, line: int, message: str, advice: str) -> BadTemplate:
    return BadTemplate(message, where=f"{part}, line {line}", advice=advice)


class _Flat(NodeTransformer):
    """Each field becomes a plain name."""

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:  # noqa: N802 (Jinja2 calls it by the node's name)
        return self._flat(node)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        return self._flat(node)

    def _flat(self, node: nodes.Getattr | nodes.Getitem) -> nodes.Node:
        name = _written(node)
        return node if name in _LOOP_FIELDS else nodes.Name(FLAT[name], "load", lineno=node.lineno)
