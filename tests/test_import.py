import interlock


def test_version_is_the_crates() -> None:
    assert interlock.__version__ == "0.1.0"
