"""Warnings that the tests meet on purpose: runs of one process, flex attention as a reference without compiler."""


def pytest_configure(config):
    for message in ("torch.distributed is disabled", "flex_attention called without torch.compile"):
        config.addinivalue_line("filterwarnings", f"ignore:{message}")
