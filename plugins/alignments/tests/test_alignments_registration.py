import pkgutil
import subprocess
import sys

import mmbench_alignments
import pytest

from mmbench.testing import check_alignment


def registered():
    entries = {}
    mmbench_alignments.mmbench_register_alignments(
        lambda name, target, **flags: entries.update({name: (target, flags)})
    )
    return entries


def test_names_and_flags():
    """None is supervised: the harness gives no labels."""
    flags = {name: flags for name, (_, flags) in registered().items()}
    assert all(flags[name].pop("summary") for name in flags)
    assert flags == {"cca": {}, "procrustes": {}, "coral": {}}


def test_targets_offer_what_an_alignment_does():
    for target, _ in registered().values():
        alignment = pkgutil.resolve_name(target)()
        assert hasattr(alignment, "fit")
        assert hasattr(alignment, "transform")


@pytest.mark.parametrize("name", registered())
def test_the_conformance_kit_passes(name):
    check_alignment(name)


def test_registering_imports_no_library():
    script = (
        "import sys, mmbench_alignments as p\n"
        "p.mmbench_register_alignments(lambda *a, **k: None)\n"
        "print([m for m in ('numpy', 'scipy', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
