"""A package to start a plugin from: planned, checked, and only then written.

The templates of a sort of plugin lie in one folder: what becomes the package's module, its test,
and the part of its README that shows it in use.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from mmbench.catalogue import SORTS, load_catalogue
from mmbench.contracts import KINDS, LEVELS
from mmbench.errors import UserError, did_you_mean

PREFIX = "mmbench-"
LONGEST = 40
VALID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

NUMPY = "numpy>=1.26"
PILLOW = "pillow>=10.1"


@dataclass(frozen=True)
class Variant:
    """What the templates are told of one sort of plugin; for fusions and encoders, of one kind."""

    title: str
    contract: str
    """Its protocol in `mmbench.contracts`."""
    summary: str
    requires: tuple[str, ...]


VARIANTS = {
    "alignment": Variant("An alignment", "Alignment", "one spread for all modalities", (NUMPY,)),
    "dataset": Variant("A dataset", "Dataset", "points of three classes, seen twice", (NUMPY,)),
    "encoder-audio": Variant("An encoder of sounds", "Encoder", "power, zero crossings", (NUMPY,)),
    "encoder-image": Variant("An encoder of images", "Encoder", "mean colours", (NUMPY, PILLOW)),
    "encoder-text": Variant("An encoder of texts", "Encoder", "shares of characters", (NUMPY,)),
    "encoder-vector": Variant("An encoder of vectors", "Encoder", "quantiles", (NUMPY,)),
    "encoder-video": Variant(
        "An encoder of videos", "Encoder", "mean colour over time", (NUMPY, PILLOW)
    ),
    "fusion-decision": Variant(
        "A decision-level fusion", "DecisionFusion", "geometric mean", (NUMPY,)
    ),
    "fusion-feature": Variant(
        "A feature-level fusion", "FeatureFusion", "concat of unit vectors", (NUMPY,)
    ),
    "fusion-joint": Variant(
        "A joint fusion", "JointFusion", "nearest class centroid", (NUMPY, "scipy>=1.12")
    ),
    "head": Variant("A head", "Head", "nearest shrunken centroid", (NUMPY, "scikit-learn>=1.8")),
    "metric": Variant("A metric", "Metric", "Brier score", (NUMPY,)),
    "runner": Variant("A runner", "Runner", "every job in a process of its own", ("pebble>=5.2",)),
}
"""By kind; where a kind has several, by kind and level, or kind and modality."""


@dataclass(frozen=True)
class Package:
    """A plugin's package that is to be written, or has been.

    Attributes
    ----------
    name : str
        As the user gave it.
    kind : str
        The sort of plugin, ``"encoder"`` for example.
    variant : str
        Which templates are used.
    folder : Path
        Where it lies.
    """

    name: str
    kind: str
    variant: str
    folder: Path

    @property
    def entry(self) -> str:
        """The name under which it is registered, and used in a matrix file."""
        return self.name.removeprefix(PREFIX)

    @property
    def distribution(self) -> str:
        """The name under which it is installed."""
        return PREFIX + self.entry

    @property
    def module(self) -> str:
        """The name under which it is imported."""
        return self.distribution.replace("-", "_")

    @cached_property
    def files(self) -> dict[str, str]:
        """The content of its files, by path within the folder."""
        import jinja2

        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("mmbench.scaffold"),
            undefined=jinja2.StrictUndefined,
            keep_trailing_newline=True,
            trim_blocks=True,
        )
        words = self.entry.split("-")
        facts: dict[str, Any] = {
            "name": self.entry,
            "kind": self.kind,
            "variant": self.variant,
            "distribution": self.distribution,
            "module": self.module,
            "about": VARIANTS[self.variant],
            "class_name": _ending("".join(map(str.capitalize, words)), self.kind.capitalize()),
            "function": _ending("_".join(words), f"_{self.kind}"),
        }
        found = {
            "pyproject.toml": "pyproject.toml.j2",
            "README.md": "README.md.j2",
            f"{self.module}/py.typed": "py.typed.j2",
        }
        for template in environment.list_templates(["j2"]):
            folder, _, file = template.removesuffix(".j2").rpartition("/")
            if folder == self.variant and file == "test.py":
                found[f"tests/test_{'_'.join(words)}.py"] = template
            elif folder == self.variant and file.endswith(".py"):
                found[f"{self.module}/{file}"] = template
        return {
            path: environment.get_template(template).render(facts)
            for path, template in sorted(found.items())
        }

    def write(self) -> None:
        """Write all files, or, where one cannot be written, none.

        Raises
        ------
        UserError
            The folder exists, or cannot be written.
        """
        files = self.files
        try:
            self.folder.mkdir(parents=True)
        except FileExistsError:
            raise UserError(f"new: the folder {self.folder} exists already") from None
        except OSError as error:
            raise UserError(f"new: {self.folder} cannot be made: {error.strerror}") from None
        try:
            for path, content in files.items():
                file = self.folder / path
                file.parent.mkdir(exist_ok=True)
                file.write_text(content, encoding="utf-8", newline="\n")
        except OSError as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise UserError(f"new: {self.folder} cannot be written: {error.strerror}") from None


def new_package(
    name: str,
    kind: str,
    *,
    level: str | None = None,
    modality: str | None = None,
    out: str | Path | None = None,
) -> Package:
    """Write a package that holds a working plugin of the sort, to be changed.

    Parameters
    ----------
    name : str
        What the plugin is to be called: lower-case letters, digits and dashes. A leading
        ``mmbench-`` is left out where it is registered.
    kind : str
        The sort: ``"encoder"``, ``"alignment"``, ``"fusion"``, ``"head"``, ``"dataset"``,
        ``"metric"`` or ``"runner"``.
    level : {"feature", "decision", "joint"}, optional
        Of a fusion; by default feature.
    modality : {"image", "text", "audio", "vector", "video"}, optional
        The kind of items that an encoder takes; by default image.
    out : path, optional
        The package's folder; by default the name, in the working directory.

    Returns
    -------
    Package
        What was written.

    Raises
    ------
    UserError
        The name is not valid or taken, the folder exists, or an option is for another kind.
        Nothing has been written then.
    """
    variant = _variant(kind, level, modality)
    _check_name(name)
    package = Package(name, kind, variant, Path(name if out is None else out))
    _check_free(package)
    package.write()
    return package


def _variant(kind: str, level: str | None, modality: str | None) -> str:
    if kind not in SORTS:
        raise UserError(f"new: unknown kind {kind!r}{did_you_mean(kind, SORTS)}")
    for option, owner, value, known in (
        ("level", "fusion", level, LEVELS),
        ("modality", "encoder", modality, KINDS),
    ):
        if value is not None and kind != owner:
            raise UserError(f"new: --{option} is for --kind {owner}, not for {kind}")
        if value is not None and value not in known:
            raise UserError(f"new: unknown {option} {value!r}{did_you_mean(value, known)}")
    detail = {"fusion": level or "feature", "encoder": modality or "image"}.get(kind)
    return f"{kind}-{detail}" if detail else kind


def _check_name(name: str) -> None:
    entry = name.removeprefix(PREFIX)
    if VALID.fullmatch(name) and VALID.fullmatch(entry) and len(entry) <= LONGEST:
        return
    nearest = re.sub(r"[^a-z0-9]+", "-", name.lower()).removeprefix(PREFIX)
    nearest = nearest[:LONGEST].strip("-")
    hint = f"; did you mean {nearest!r}?" if VALID.fullmatch(nearest) else ""
    raise UserError(
        f"new: {name!r} is no valid name: lower-case letters, digits and single dashes between "
        f"them are allowed, a letter first, {LONGEST} in all{hint}"
    )


def _check_free(package: Package) -> None:
    """Raise `UserError` where something of the name is there already."""
    catalogue = load_catalogue()
    known = catalogue.entries[package.kind].get(package.entry)
    if known is not None:
        raise UserError(
            f"new: the name is taken: {package.kind} {package.entry!r} is registered by the plugin "
            f"{known.plugin.name!r}"
        )
    try:
        installed = metadata.distribution(package.distribution)
    except metadata.PackageNotFoundError:
        pass
    else:
        raise UserError(
            f"new: the name is taken: {package.distribution} {installed.version} is installed"
        )
    if any(plugin.name == package.entry for plugin in catalogue.plugins):
        raise UserError(f"new: the name is taken: a plugin is called {package.entry!r}")
    found = importlib.util.find_spec(package.module)
    if found is not None:
        where = found.origin or "a folder of that name"
        raise UserError(f"new: the name is taken: a module {package.module} exists ({where})")
    if package.folder.exists():
        raise UserError(f"new: the folder {package.folder} exists already")


def _ending(text: str, ending: str) -> str:
    """Return a text that ends so: no name made of it is a keyword, or imported by a template."""
    return text if text.endswith(ending) else text + ending
