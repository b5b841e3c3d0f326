"""Docstrings that name inherited options, too, so that each option is described in one place."""

from __future__ import annotations

import inspect
import re

SECTION = re.compile(r"(?<=^Parameters\n----------\n).*?(?=\n\n\w[\w ]*\n-+\n|\Z)", re.M | re.S)


def with_inherited(cls: type) -> str:
    """Return a class's docstring, its parameters followed by those that only its bases describe.

    Parameters
    ----------
    cls : type
        Its docstring and its bases' are numpydoc.

    Returns
    -------
    str
        Unchanged where it has no section of parameters.
    """
    own = inspect.cleandoc(cls.__doc__ or "")
    found: dict[str, str] = {}
    for base in cls.__mro__:
        section = SECTION.search(inspect.cleandoc(base.__doc__ or ""))
        for entry in re.split(r"\n(?=\S)", section[0]) if section else []:
            found.setdefault(entry.partition(" :")[0], entry)
    return SECTION.sub(lambda _: "\n".join(found.values()), own, count=1)
