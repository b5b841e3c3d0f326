import pkgutil
import subprocess
import sys

import mmbench_features


def registered():
    entries = {}
    mmbench_features.mmbench_register_encoders(
        lambda name, target, **flags: entries.update({name: (target, flags)})
    )
    return entries


def test_names_kinds_and_flags():
    flags = {name: flags for name, (_, flags) in registered().items()}
    kinds = {name: flags[name].pop("kind") for name in flags}
    assert kinds == {
        "identity": "vector",
        "pca": "vector",
        "quantile": "vector",
        "one-hot": "vector",
        "hog": "image",
        "colour-histogram": "image",
        "local-binary-patterns": "image",
        "co-occurrence": "image",
        "raw-pixels": "image",
        "pixels-pca": "image",
        "mfcc": "audio",
        "log-mel": "audio",
        "audio-statistics": "audio",
        "chroma": "audio",
        "tf-idf": "text",
        "bag-of-words": "text",
        "latent-semantic": "text",
        "hashing": "text",
        "text-statistics": "text",
        "sentiment": "text",
        "part-of-speech": "text",
    }
    assert all(flags[name].pop("summary") for name in flags)
    trained = {name: {"trained": True} for name in ("quantile", "one-hot")}
    for name in ("pca", "pixels-pca", "latent-semantic"):
        trained[name] = {"trained": True, "standardise": False}
    texts = {"trained": True, "standardise": False, "sparse": True}
    assert {name: flags for name, flags in flags.items() if flags} == trained | {
        "tf-idf": texts,
        "bag-of-words": texts,
        "hashing": {"standardise": False, "sparse": True},
    }


def test_targets_can_be_built_with_their_defaults():
    for target, _ in registered().values():
        assert callable(pkgutil.resolve_name(target)().encode)


def test_registering_imports_no_library():
    script = (
        "import sys, mmbench_features as p\n"
        "p.mmbench_register_encoders(lambda *a, **k: None)\n"
        "heavy = 'numpy', 'scipy', 'sklearn', 'skimage', 'PIL', 'librosa', 'numba'\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
