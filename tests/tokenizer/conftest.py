import pytest

from tests.tokenizer import models


@pytest.fixture(scope="session")
def model_of(tmp_path_factory):
    """Gives the path of a small model of a kind, trained when it is first asked for."""
    folder = tmp_path_factory.mktemp("models")

    def path(kind: str):
        file = folder / f"{kind}.model"
        return file if file.exists() else models.train(file, kind)

    return path
