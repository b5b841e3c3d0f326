import subprocess
import sys
from importlib.metadata import entry_points

import mmbench_transformers as plugin


def test_the_entry_point_registers_the_encoders():
    (found,) = (e for e in entry_points(group="mmbench") if e.value == plugin.__name__)
    assert (found.name, found.load()) == ("transformers", plugin)
    registered = {}
    plugin.mmbench_register_encoders(
        lambda name, target, **flags: registered.update(
            {
                name: (
                    target,
                    flags.pop("kind"),
                    flags.pop("finetune"),
                    flags.get("sequences", False),
                )
            }
        )
    )
    assert registered == {
        f"{name}-{kind}": (
            f"mmbench_transformers.{module}:{kind.capitalize()}{suffix}",
            kind,
            True,
            sequences,
        )
        for name, module, suffix, sequences in (
            ("transformers", "kinds", "Transformer", True),
            ("two-tower", "towers", "Tower", False),
        )
        for kind in ("text", "image", "audio")
    }


def test_planning_imports_no_library(tmp_path):
    (tmp_path / "model").mkdir()
    script = (
        "import sys, pathlib, mmbench_transformers as plugin\n"
        "heavy = {'torch', 'torchvision', 'transformers', 'tokenizers', 'scipy'}\n"
        "plugin.mmbench_register_encoders(lambda *a, **k: None)\n"
        "print(sorted((heavy | {'numpy', 'PIL', 'huggingface_hub'}) & set(sys.modules)))\n"
        "from mmbench_transformers.kinds import AudioTransformer\n"
        "from mmbench_transformers.towers import TextTower\n"
        "for encoder in (AudioTransformer, TextTower):\n"
        "    encoder.cache_key(folder=pathlib.Path('model'))\n"
        "    encoder.cache_key(model='nobody/nothing')\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
    )
    assert done.stdout.splitlines() == ["[]", "[]"], done.stderr
