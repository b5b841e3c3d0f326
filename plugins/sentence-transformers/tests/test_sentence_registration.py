import subprocess
import sys
from importlib.metadata import entry_points

import mmbench_sentence_transformers as plugin


def test_the_entry_point_registers_the_encoder():
    (found,) = (e for e in entry_points(group="mmbench") if e.value == plugin.__name__)
    assert found.load() is plugin
    registered = {}
    plugin.mmbench_register_encoders(
        lambda name, target, **flags: registered.update(
            {name: (target, flags.pop("kind"), [f for f in flags if flags[f] is True])}
        )
    )
    target = "mmbench_sentence_transformers.encoder:SentenceEncoder"
    assert registered == {
        "sentence-transformers": (target, "text", ["finetune", "sequences"]),
        "sentence-transformers-image": (target, "image", []),
    }


def test_planning_imports_no_library(tmp_path):
    (tmp_path / "model").mkdir()
    script = (
        "import sys, mmbench_sentence_transformers as plugin\n"
        "heavy = {'torch', 'sentence_transformers', 'transformers'}\n"
        "plugin.mmbench_register_encoders(lambda *a, **k: None)\n"
        "print(sorted((heavy | {'numpy', 'huggingface_hub'}) & set(sys.modules)))\n"
        "from mmbench_sentence_transformers.encoder import SentenceEncoder\n"
        "SentenceEncoder.cache_key(model='model')\n"
        "SentenceEncoder.cache_key(model='nobody/nothing')\n"
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
