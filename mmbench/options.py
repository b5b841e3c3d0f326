"""A plugin's options: read from its typed keyword parameters, validated, and its objects built."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from mmbench.catalogue import Entry
from mmbench.config import FROZEN
from mmbench.errors import UserError, did_you_mean

GIVEN = ("seed", "device", "threads", "n_classes", "finetune")
"""Parameters that the harness gives to those who ask for them by name."""

ON_TRIAL = {"seed": 0, "threads": 1, "device": "cpu", "n_classes": 2, "finetune": FROZEN}
"""What a plugin is given of them that is built only to see what it offers."""


@dataclass(frozen=True)
class Option:
    """One option of a plugin."""

    name: str
    annotation: Any
    default: Any
    required: bool

    def validate(self, value: Any) -> Any:
        """Return the value in the option's type, or raise `pydantic.ValidationError`."""
        return _adapter(self.annotation).validate_python(value)


@dataclass(frozen=True)
class Signature:
    """What a plugin's target accepts."""

    options: dict[str, Option]
    asks: frozenset[str]
    """Which of `GIVEN` it wants."""
    open: bool
    """Whether it takes any keyword (``**kwargs``)."""

    def typed(self, values: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Return values typed, or raise `UserError` naming ``where`` and the option."""
        typed = {}
        for name, value in values.items():
            if name in self.asks:
                raise UserError(f"{where}: {name!r} is given by mmbench; it is no option")
            if name not in self.options and not self.open:
                raise UserError(
                    f"{where}: unknown option {name!r}{did_you_mean(name, self.options)}"
                )
            try:
                typed[name] = self.options[name].validate(value) if name in self.options else value
            except ValidationError as error:
                problem = error.errors()[0]
                inner = "".join(f".{part}" for part in problem["loc"])
                raise UserError(
                    f"{where}: {name}{inner} = {problem['input']!r}: {problem['msg']}"
                ) from None
        return typed

    def validate(
        self, values: Mapping[str, Any], where: str, later: Container[str] = ()
    ) -> dict[str, Any]:
        """Return the options given, typed; raise `UserError` as `typed` or where one is wanting.

        Those named in ``later`` are yet to come.
        """
        typed = self.typed(values, where)
        for option in self.options.values():
            if option.required and option.name not in typed and option.name not in later:
                raise UserError(f"{where}: option {option.name!r} is required")
        return typed

    def with_defaults(self, typed: Mapping[str, Any]) -> dict[str, Any]:
        """Return all options, those not given at their default."""
        return {o.name: o.default for o in self.options.values() if not o.required} | dict(typed)

    def without_defaults(self, typed: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options that differ from their default."""
        defaults = self.with_defaults({})
        return {
            name: value
            for name, value in typed.items()
            if name not in defaults or canonical(defaults[name]) != canonical(value)
        }


@cache
def signature(entry: Entry) -> Signature:
    """Import an entry's target and read its parameters; what importing raises passes through."""
    target = entry.load()
    function: Any = unwrapped(target)
    function = function.__init__ if inspect.isclass(function) else function
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception:  # annotations that cannot be evaluated: the option is then unchecked
        hints = {}
    options, asks, is_open = {}, set(), False
    for parameter in inspect.signature(target).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            is_open = True
        elif parameter.kind not in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            if parameter.name in GIVEN:
                asks.add(parameter.name)
                continue
            required = parameter.default is parameter.empty
            options[parameter.name] = Option(
                parameter.name,
                hints.get(parameter.name, Any),
                None if required else parameter.default,
                required,
            )
    return Signature(options, frozenset(asks), is_open)


def unwrapped(target: Any) -> Any:
    """Return the class or function behind `functools.partial`."""
    while isinstance(target, partial):
        target = target.func
    return target


def build(entry: Entry, params: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    """Build a plugin's object from its options and what the harness gives."""
    accepted = signature(entry)
    typed = accepted.validate(params, f"{entry.sort} {entry.name}")
    return entry.load()(**typed, **{name: given[name] for name in accepted.asks})


def canonical(value: Any) -> str:
    """Return JSON that is the same for equal values: sorted keys, floats in shortest form."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, tuple):
        return list(value)
    return repr(value)


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError:  # a model brings its own configuration
        return TypeAdapter(annotation)
