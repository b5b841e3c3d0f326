"""Executes a page of the documentation: its files are written, its commands and scripts run.

A fenced block is one of these:

- with ``title="NAME"`` after its language, a file of that name;
- ``console``: the lines that begin with ``$`` are commands, which end with status 0 unless a
  comment says otherwise (``# exit 1``); the lines below a command are all that it prints,
  ``...`` standing for the rest of a line or, alone, for any lines. A command with nothing below
  it may print what it likes;
- ``python`` without a title: a script;
- anything, after a comment ``<!-- not executed: REASON -->``.
"""

from __future__ import annotations

import os
import re
import shlex
import site
import subprocess
import venv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

from tests.conftest import called_here

TIMEOUT = 300


class PageError(AssertionError):
    """A page holds what is not so."""


@dataclass(frozen=True)
class Block:
    """One block of code of a page."""

    place: str
    language: str
    title: str
    content: str
    reason: str
    """Why it is not executed; empty where it is."""


def blocks(page: Path) -> Iterator[Block]:
    """Read the blocks of a page, from top to bottom."""
    reason = ""
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type in ("fence", "code_block"):
            title = re.search(r'title="([^"]+)"', token.info)
            yield Block(
                f"{page.name}, line {token.map[0] + 1 if token.map else '?'}",
                token.info.partition(" ")[0],
                title[1] if title else "",
                token.content,
                reason,
            )
        comment = re.fullmatch(r"<!-- not executed: (.+) -->\s*", token.content)
        reason = comment[1] if token.type == "html_block" and comment else ""


def check_page(
    page: Path, folder: Path, environment: Mapping[str, str], *, here: bool = False
) -> None:
    """Do in a folder what a page says.

    Parameters
    ----------
    page, folder : Path
        What is done, and where.
    environment : mapping of str to str
        Variables under which it is done.
    here : bool
        Whether a bare ``mmbench ...`` is called in this process, which has its modules by now;
        everything else always has a process of its own.

    Raises
    ------
    PageError
        A block is of no known sort, or something went otherwise than the page says.
    """
    for block in blocks(page):
        if block.reason:
            continue
        if block.title:
            file = folder / block.title
            if not file.resolve().is_relative_to(folder.resolve()):
                raise PageError(f"{block.place}: {block.title} is not in the page's folder")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.content, encoding="utf-8")
        elif block.language == "console":
            for command, shown in commands(block):
                _perform(block, command, shown, folder, environment, here)
        elif block.language == "python":
            (folder / "script.py").write_text(block.content, encoding="utf-8")
            _perform(block, "python script.py", [], folder, environment)
        else:
            raise PageError(
                f"{block.place}: a block that is no file, no console and no script; "
                "<!-- not executed: REASON --> above it would say why"
            )


def commands(block: Block) -> list[tuple[str, list[str]]]:
    """Return the commands of a console, each with the lines shown below it."""
    found: list[tuple[str, list[str]]] = []
    for line in block.content.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
        else:
            raise PageError(f"{block.place}: a console begins with a command, `$ ...`")
    return found


def _perform(
    block: Block,
    command: str,
    shown: list[str],
    folder: Path,
    environment: Mapping[str, str],
    here: bool = False,
) -> None:
    bare = re.fullmatch(r"mmbench [^|&;<>$*?`\\]+", command) is not None
    done = (_call if here and bare else _start)(command, folder, environment)
    said = re.search(r"# exit (\d+)$", command)
    expected = int(said[1]) if said else 0
    where = f"{block.place}: $ {command}"
    if done.returncode != expected:
        raise PageError(f"{where}\nended with {done.returncode}, not {expected}:\n{done.stdout}")
    while shown and not shown[-1].strip():
        shown = shown[:-1]
    if shown and not matches(shown, done.stdout):
        told = "\n".join(shown)
        raise PageError(f"{where}\nprinted\n{done.stdout}\nwhere the page shows\n{told}")


def _start(
    command: str, folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=TIMEOUT,
    )


def _call(
    command: str, folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    arguments = shlex.split(command, comments=True)[1:]
    done = called_here(*arguments, folder=folder, environment=environment)
    done.stdout += done.stderr
    return done


def matches(shown: list[str], printed: str) -> bool:
    """Whether this was printed: trailing blanks aside, ``...`` for anything."""
    lines = [line.rstrip() + "\n" for line in printed.rstrip().splitlines()]
    patterns = [
        "(?:.*\n)*?" if line.strip() == "..." else re.escape(line).replace(r"\.\.\.", ".*") + "\n"
        for line in map(str.rstrip, shown)
    ]
    return re.fullmatch("".join(patterns), "".join(lines)) is not None


def throwaway_environment(folder: Path) -> dict[str, str]:
    """Make a virtual environment that sees all that is installed here, and is gone afterwards.

    Returns
    -------
    dict of str
        Environment variables, under which ``python``, ``mmbench`` and ``pytest`` are its own, and
        pip installs into it from local folders, without a network.
    """
    venv.create(folder, symlinks=os.name == "posix")
    (packages,) = folder.glob("lib/python*/site-packages")
    seen = [f"site.addsitedir({path!r})" for path in site.getsitepackages()]
    (packages / "all-that-is-installed-here.pth").write_text(f"import site; {'; '.join(seen)}\n")
    programs = folder / "bin"
    for name in ("mmbench", "pytest"):
        (programs / name).write_text(f'#!/bin/sh\nexec "{programs}/python" -m {name} "$@"\n')
        (programs / name).chmod(0o755)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "MMBENCH_"))}
    return {
        **kept,
        "PATH": f"{programs}{os.pathsep}{kept['PATH']}",
        "COLUMNS": "100",
        "PYTHONUTF8": "1",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it as the value of "build isolation"
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
