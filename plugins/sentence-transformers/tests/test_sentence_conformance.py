from mmbench.testing import check_encoder


def test_a_model_from_a_folder_keeps_the_contract(folder):
    check_encoder("sentence-transformers", params={"folder": str(folder)})
