"""Finds plugins, guards their loading, and holds name -> entry for each sort of plugin.

Every plugin is loaded and registered on its own: one that fails is kept with its traceback and
leaves the others working. What an entry's target accepts and how it is built is in `options`.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import pluggy

from mmbench import hookspecs
from mmbench.contracts import KINDS, LEVELS
from mmbench.errors import UserError, did_you_mean, one_line
from mmbench.identity import content_hash, is_editable, requirements, source_hash

SORTS = ("dataset", "encoder", "alignment", "fusion", "head", "metric", "runner")
GROUP = "mmbench"


@dataclass(eq=False)
class Plugin:
    """One loaded (or broken) plugin: a distribution's entry point, a file, a module, a notebook."""

    name: str
    module: Any = None
    distribution: metadata.Distribution | None = None
    source: Path | None = None
    error: str | None = None
    """The traceback where loading or registering failed."""
    failure: str | None = None
    """The same in one line."""

    @property
    def version(self) -> str:
        """The distribution's version, empty for files and notebooks."""
        return self.distribution.version if self.distribution else ""

    @cached_property
    def identity(self) -> str:
        """What stored results depend on: version (or source hash) and requirements' versions."""
        if self.distribution is None:
            return f"{self.name} {source_hash(self.source)}"
        own = f"{self.distribution.name} {self.version}"
        if is_editable(self.distribution):
            own += f" {source_hash(self.source)}"
        return "; ".join([own, *requirements(self.distribution)])


@dataclass(frozen=True)
class Entry:
    """A registered name: what the planner must know, without importing the target."""

    sort: str
    name: str
    target: Any
    plugin: Plugin
    kinds: tuple[str, ...] = ()
    level: str = ""
    trained: bool = False
    supervised: bool = False
    out_of_fold: bool = False
    standardise: bool = True
    sparse: bool = False
    handles_missing: bool = False
    sequences: bool = False
    finetune: bool = False
    summary: str = ""

    def load(self) -> Callable[..., Any]:
        """Import the target where it is lazy."""
        if not isinstance(self.target, str):
            return self.target  # type: ignore[no-any-return]
        module, _, attribute = self.target.partition(":")
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
        return found  # type: ignore[no-any-return]

    def describe(self) -> dict[str, Any]:
        """Return what ``mmbench list --json`` says of it."""
        return {
            "name": self.name,
            "sort": self.sort,
            "kind": "+".join(self.kinds) or None,
            "level": self.level or None,
            "plugin": self.plugin.name,
            "version": self.plugin.version or None,
            "summary": self.summary,
        }


@dataclass
class Catalogue:
    """All that is registered, by sort and name."""

    plugins: list[Plugin] = field(default_factory=list)
    entries: dict[str, dict[str, Entry]] = field(default_factory=lambda: {s: {} for s in SORTS})
    conflicts: list[str] = field(default_factory=list)
    manager: pluggy.PluginManager = field(default_factory=lambda: pluggy.PluginManager("mmbench"))

    def __post_init__(self) -> None:
        self.manager.add_hookspecs(hookspecs)

    def check(self) -> None:
        """Raise `UserError` where two plugins claim one name of the same sort."""
        if self.conflicts:
            raise UserError(self.conflicts[0])

    def find(self, sort: str, name: str, where: str) -> Entry:
        """Return the entry of that name, or raise `UserError` with the nearest valid one."""
        known = self.entries[sort]
        if name in known:
            return known[name]
        message = f"{where}: unknown {sort} {name!r}{did_you_mean(name, known)}"
        broken = [p.name for p in self.plugins if p.error]
        if broken:
            message += f" (plugin {broken[0]!r} failed to load: see `mmbench list plugins`)"
        raise UserError(message)

    def named(self, word: str, sorts: Iterable[str] = SORTS) -> list[Entry]:
        """Return the entries that ``NAME`` or ``SORT:NAME`` stands for: none, one or several."""
        sort, colon, name = word.partition(":")
        if colon and sort in SORTS:
            sorts, word = [sort], name
        return [self.entries[s][word] for s in sorts if word in self.entries[s]]

    def add(self, plugin: Plugin, load: Callable[[], Any]) -> None:
        """Load one plugin and take what it registers, or keep why it failed."""
        self.plugins.append(plugin)
        offered: list[Entry] = []
        taken = self.manager.has_plugin(plugin.name)
        name = f"{plugin.name} ({len(self.plugins)})" if taken else plugin.name
        try:
            plugin.module = load()
            if file := getattr(plugin.module, "__file__", None):
                path = Path(file)
                plugin.source = path.parent if path.name == "__init__.py" else path
            self.manager.register(plugin.module, name=name)
            self.manager.check_pending()
            for sort in SORTS:
                hook = getattr(self.manager.hook, f"mmbench_register_{sort}s")
                for implementation in hook.get_hookimpls():
                    if implementation.plugin is plugin.module:
                        implementation.function(_register(sort, plugin, offered))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a plugin may even call sys.exit when imported
            plugin.error = traceback.format_exc()
            plugin.failure = one_line(error)
            if plugin.module is not None and self.manager.get_plugin(name) is plugin.module:
                self.manager.unregister(name=name)
            return
        for entry in offered:
            self._offer(entry)

    def _offer(self, entry: Entry) -> None:
        known = self.entries[entry.sort]
        if (other := known.get(entry.name)) is not None:
            self.conflicts.append(
                f"{entry.sort} {entry.name!r} is registered by both {other.plugin.name!r} and "
                f"{entry.plugin.name!r}; choose with MMBENCH_PLUGINS"
            )
            return
        known[entry.name] = entry


def _register(sort: str, plugin: Plugin, offered: list[Entry]) -> hookspecs.Register:
    def register(
        name: str,
        target: Any,
        *,
        kind: str | tuple[str, ...] = (),
        level: str = "",
        trained: bool = False,
        supervised: bool = False,
        out_of_fold: bool = False,
        standardise: bool = True,
        sparse: bool = False,
        handles_missing: bool = False,
        sequences: bool = False,
        finetune: bool = False,
        summary: str = "",
    ) -> None:
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][\w.+-]*", name):
            raise ValueError(f"{name!r} is no name: letters, digits and -_.+ are allowed")
        kinds = (kind,) if isinstance(kind, str) else tuple(kind)
        for given in kinds:
            if given not in KINDS:
                raise ValueError(f"{name}: unknown kind {given!r}{did_you_mean(given, KINDS)}")
        if sort == "encoder" and not kinds:
            raise ValueError(f"{name}: an encoder says its kind=..., one or more of {KINDS}")
        if sort == "fusion" and level not in LEVELS:
            raise ValueError(f"{name}: a fusion says its level=..., one of {LEVELS}")
        offered.append(
            Entry(
                sort,
                name,
                target,
                plugin,
                kinds,
                level,
                trained,
                supervised,
                out_of_fold,
                standardise,
                sparse,
                handles_missing,
                sequences,
                finetune,
                summary,
            )
        )

    return register


_notebook: list[tuple[str, str, Any, dict[str, Any]]] = []


def register(sort: str, name: str, target: Any, **flags: Any) -> None:
    """Register a plugin from a script or notebook; a second call replaces the first.

    Parameters
    ----------
    sort : str
        ``"dataset"``, ``"encoder"``, ``"alignment"``, ``"fusion"``, ``"head"``, ``"metric"`` or
        ``"runner"``.
    name : str
        The name under which matrices use it.
    target : callable
        A class or factory; its typed keyword parameters are its options.
    **flags
        As in `mmbench.contracts`: ``kind``, ``level``, ``trained``, ...

    Raises
    ------
    ValueError
        An unknown sort, kind or level.
    """
    if sort not in SORTS:
        raise ValueError(f"unknown sort {sort!r}{did_you_mean(sort, SORTS)}")
    _register(sort, Plugin("notebook"), [])(name, target, **flags)  # its mistakes are told here
    _notebook[:] = [known for known in _notebook if known[:2] != (sort, name)]
    _notebook.append((sort, name, target, flags))


def notebook_registrations() -> bytes:
    """Return what `register` was given, classes by value, for worker processes."""
    if not _notebook:
        return b""
    import cloudpickle

    return bytes(cloudpickle.dumps(_notebook))


def load_catalogue(extra: Iterable[str] = (), registrations: bytes | None = None) -> Catalogue:
    """Load all plugins.

    Parameters
    ----------
    extra : iterable of str
        Files (``x.py``) and modules (``package.module``) to load besides the entry points.
    registrations : bytes, optional
        From `notebook_registrations` of another process; None takes this process's own.

    Raises
    ------
    UserError
        ``MMBENCH_PLUGINS`` or ``extra`` names what is not there, or an extra one fails to load.
    """
    catalogue = Catalogue()
    core = Plugin("mmbench", distribution=metadata.distribution("mmbench"))
    catalogue.add(core, lambda: importlib.import_module("mmbench.runners"))
    for point in _entry_points():
        catalogue.add(Plugin(point.name, distribution=point.dist), point.load)
    for name in {Path(n).resolve() if n.endswith(".py") else n: n for n in extra}.values():
        _add_extra(catalogue, name)
    if registrations is None:
        registrations = notebook_registrations()
    if registrations:
        import cloudpickle

        offered: list[Entry] = []
        for sort, name, target, flags in cloudpickle.loads(registrations):
            plugin = Plugin("notebook")
            plugin.identity = f"notebook {content_hash(target)}"
            _register(sort, plugin, offered)(name, target, **flags)
            catalogue.plugins.append(plugin)
        for entry in offered:
            catalogue._offer(entry)
    return catalogue


def _entry_points() -> list[metadata.EntryPoint]:
    points = sorted(metadata.entry_points(group=GROUP), key=lambda point: point.name)
    only = os.environ.get("MMBENCH_PLUGINS")
    if only is None:
        return points
    wanted = [name.strip() for name in only.split(",") if name.strip()]
    names = {point.name for point in points}
    for name in wanted:
        if name not in names:
            raise UserError(f"MMBENCH_PLUGINS: unknown plugin {name!r}{did_you_mean(name, names)}")
    return [point for point in points if point.name in wanted]


def _add_extra(catalogue: Catalogue, name: str) -> None:
    is_file = name.endswith(".py")
    path = Path(name).resolve()
    if is_file and not path.is_file():
        raise UserError(f"plugin {name}: no such file")
    if any(getattr(p.module, "__name__", "") == name and not p.error for p in catalogue.plugins):
        return  # an installed one

    def load() -> Any:
        if not is_file:
            if (here := str(Path.cwd())) not in sys.path:
                sys.path.append(here)
            return importlib.import_module(name)
        alias = f"mmbench_file_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
        spec = importlib.util.spec_from_file_location(alias, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[alias] = module
        spec.loader.exec_module(module)
        return module

    plugin = Plugin(path.name if is_file else name)
    catalogue.add(plugin, load)
    if plugin.error:
        raise UserError(f"plugin {name} failed to load: {plugin.failure}")
