import sys

import numpy as np
import pytest
import spacy
from mmbench_features.partsofspeech import TAGS, PartOfSpeech


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A pipeline that knows four words and the full stop."""
    pipeline = spacy.blank("en")
    ruler = pipeline.add_pipe("attribute_ruler")
    for word, tag in {"dogs": "NOUN", "bark": "VERB", "old": "ADJ", ".": "PUNCT"}.items():
        ruler.add([[{"LOWER": word}]], {"POS": tag})
    path = tmp_path_factory.mktemp("pipelines") / "tiny"
    pipeline.to_disk(path)
    return path


def row(**counts):
    return [counts.get(tag, 0) for tag in TAGS]


def test_tags_are_counted_and_shared_out(folder):
    texts = ["Old dogs  bark.", "dogs dogs unknown bark", "", " \n"]
    counts = PartOfSpeech(folder=folder, shares=False).encode(texts)
    assert counts.dtype == np.float32
    expected = [row(ADJ=1, NOUN=1, VERB=1, PUNCT=1), row(NOUN=2, VERB=1), row(), row()]
    np.testing.assert_array_equal(counts, expected)
    np.testing.assert_array_equal(PartOfSpeech(folder=folder).encode(texts), counts / 4)
    assert len(set(TAGS)) == 17


def test_a_long_text_is_no_error(folder):
    counts = PartOfSpeech(folder=folder, shares=False).encode([f"dogs{' ' * 1_000_000}bark"])
    np.testing.assert_array_equal(counts, [row(NOUN=1, VERB=1)])


def test_the_cache_key_follows_the_files(folder, tmp_path):
    first = PartOfSpeech.cache_key(folder=folder)
    pipeline = spacy.load(folder)
    pipeline.get_pipe("attribute_ruler").add([[{"LOWER": "new"}]], {"POS": "ADJ"})
    pipeline.to_disk(tmp_path / "tiny")
    assert PartOfSpeech.cache_key(folder=tmp_path / "tiny") != first
    assert PartOfSpeech.cache_key(folder=folder, shares=False) == first
    assert PartOfSpeech.cache_key(model="numpy") == f"numpy {np.__version__}"
    assert PartOfSpeech.cache_key(model="no_such_model") == "no_such_model"


def test_a_missing_model_is_one_clear_line(folder, tmp_path):
    spacy.blank("en").to_disk(tmp_path / "blank")
    for options, error, reason in [
        ({}, ValueError, r"^give either model = 'NAME' or folder = 'FOLDER'$"),
        ({"model": "xx", "folder": folder}, ValueError, r"^give either "),
        ({"model": "xx_none"}, OSError, r"^model = 'xx_none': no pipeline .* download xx_none$"),
        ({"folder": tmp_path}, OSError, rf"^folder = '{tmp_path}': no pipeline of spaCy's "),
        ({"folder": tmp_path / "blank"}, ValueError, r"blank': this pipeline .* no parts of"),
    ]:
        with pytest.raises(error, match=reason) as caught:
            PartOfSpeech(**options).encode(["a"])
        assert "\n" not in str(caught.value)


def test_without_spacy_one_line_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(ModuleNotFoundError, match=r"^part-of-speech needs spaCy, .*\[spacy\]"):
        PartOfSpeech(folder=folder).encode(["a"])
