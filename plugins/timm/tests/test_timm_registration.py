import subprocess
import sys
from importlib.metadata import entry_points

import mmbench_timm
import timm


def test_the_entry_point_registers_the_encoder():
    (found,) = (e for e in entry_points(group="mmbench") if e.value == "mmbench_timm")
    assert found.load() is mmbench_timm
    registered = {}
    mmbench_timm.mmbench_register_encoders(
        lambda name, target, **flags: registered.update(
            {name: (target, flags.pop("kind"), flags.pop("sequences"), flags.pop("finetune"))}
        )
    )
    assert registered == {"timm": ("mmbench_timm.encoder:TimmEncoder", "image", True, True)}


def test_planning_imports_no_library(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"")
    script = (
        "import sys, pathlib, mmbench_timm\n"
        "heavy = {'torch', 'timm', 'torchvision'}\n"
        "mmbench_timm.mmbench_register_encoders(lambda *a, **k: None)\n"
        "print(sorted((heavy | {'numpy', 'PIL', 'huggingface_hub'}) & set(sys.modules)))\n"
        "from mmbench_timm.encoder import TimmEncoder\n"
        "TimmEncoder.cache_key(model='resnet18', checkpoint=pathlib.Path('weights.pth'))\n"
        "TimmEncoder.cache_key(model='resnet18', pretrained=False)\n"
        "TimmEncoder.cache_key(model='hf-hub:nobody/nothing')\n"
        "print(TimmEncoder.cache_key(model='resnet18'))\n"
        "print(TimmEncoder.cache_key(model='vit_base_mci_224.apple_mclip'))\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
    )
    assert done.stdout.splitlines() == [
        "[]",
        f"pretrained {timm.get_pretrained_cfg('resnet18').hf_hub_id}",
        "pretrained apple/mobileclip_b_timm",
        "[]",
    ], done.stderr
