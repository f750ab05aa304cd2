"""Whether an object store can be reached at all, asked once and fast: Beam retries in silence for minutes."""

from __future__ import annotations

import functools
from typing import Any

from pipeline.errors import InputError

CONNECT_SECONDS = 5
READ_SECONDS = 20
ATTEMPTS = 3
_NO_BUCKET = ("404", "NoSuchBucket")


def check_reach(path: str) -> None:
    """Asks the store of an ``s3://`` path for its bucket; does nothing for other paths.

    Raises:
        InputError: There are no credentials, the store does not answer, or it has no such bucket.
    """
    if not path.startswith("s3://"):
        return
    # Where no store is used they need not be there.
    from apache_beam.io.filesystems import FileSystems  # noqa: PLC0415
    from apache_beam.options.pipeline_options import PipelineOptions, S3Options  # noqa: PLC0415

    options = FileSystems._pipeline_options or PipelineOptions([])
    flags = options.view_as(S3Options).get_all_options(drop_default=True)
    _check_bucket(path.removeprefix("s3://").partition("/")[0], tuple(sorted(_client_options(flags).items())))


def _client_options(flags: dict[str, Any]) -> dict[str, Any]:
    """The options of a boto3 client, of Beam's flags for S3."""
    names = {
        "s3_access_key_id": "aws_access_key_id",
        "s3_secret_access_key": "aws_secret_access_key",
        "s3_session_token": "aws_session_token",
        "s3_endpoint_url": "endpoint_url",
        "s3_region_name": "region_name",
        "s3_verify": "verify",
    }
    return {option: flags[flag] for flag, option in names.items() if flags.get(flag) is not None}


@functools.cache
def _check_bucket(bucket: str, options: tuple[tuple[str, Any], ...]) -> None:
    # Where no store is used they need not be there.
    try:
        import boto3  # noqa: PLC0415
    except ImportError as error:
        raise InputError(f"s3://{bucket} cannot be reached: s3:// paths need pip install '.[aws]'") from error
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import (  # noqa: PLC0415
        BotoCoreError,
        ClientError,
        NoCredentialsError,
        PartialCredentialsError,
    )

    patience = Config(
        connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"total_max_attempts": ATTEMPTS}
    )
    try:
        boto3.client("s3", config=patience, **dict(options)).head_bucket(Bucket=bucket)
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise InputError(
            f"s3://{bucket} cannot be reached: {error}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
            "AWS_PROFILE, or type aws configure."
        ) from error
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _NO_BUCKET:
            raise InputError(f"there is no bucket s3://{bucket}. Check its name, or make it first.") from error
        # Anything else, such as a key that may read objects but not ask for the bucket, shows where it matters.
    except (BotoCoreError, ValueError) as error:
        raise InputError(
            f"s3://{bucket} cannot be reached: {error} Check the network, --s3_endpoint_url and the region."
        ) from error
