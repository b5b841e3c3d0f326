"""The language of a report's own words; names, classes and messages stay as they are."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from mmbench.errors import UserError, did_you_mean


@dataclass(frozen=True)
class Language:
    """Says what a report says.

    Attributes
    ----------
    code : str
        Of ISO 639: ``en``, ``zh``.
    words : mapping of str to str
        What is said for each English text; what is not in it is said in English.
    """

    code: str = "en"
    words: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, text: str, /, **fields: Any) -> str:
        """Say an English text, its ``{fields}`` filled in.

        Where a field is HTML markup (of markupsafe), so is what is said, all else in it escaped.
        """
        said = self.words.get(text, text)
        if not fields:
            return said
        if any(hasattr(value, "__html__") for value in fields.values()):
            from markupsafe import Markup

            return Markup(said).format(**fields)
        return said.format(**fields)

    def count(self, n: int, one: str, many: str, /, **fields: Any) -> str:
        """Say how many there are: the text for one, or that for ``{n}``."""
        return self(one if n == 1 else many, n=n, **fields)


ENGLISH = Language()


def languages() -> list[str]:
    """Return the codes of the languages that reports can be in."""
    found = (file.name for file in files("mmbench.report").joinpath("languages").iterdir())
    return ["en", *sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml"))]


@cache
def language(code: str) -> Language:
    """Return a language by its code; raises `UserError` where there is none of it."""
    if code == "en":
        return ENGLISH
    if code not in languages():
        raise UserError(f"there is no language {code!r}{did_you_mean(code, languages())}")
    file = files("mmbench.report").joinpath("languages", f"{code}.toml")
    return Language(code, tomllib.loads(file.read_text("utf-8")))
