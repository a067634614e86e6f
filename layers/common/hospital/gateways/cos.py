"""Files in COS: one private bucket, encrypted at rest, read by links that end, uploaded to by forms that end.

With the function's temporary keys, which the platform renews in the environment.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import os
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote, urlsplit

from msgspec import Struct

from hospital.gateways.outcome import Rejected, Unanswered
from hospital.runtime.config import config

if TYPE_CHECKING:
    from qcloud_cos import CosS3Client, CosServiceError

TIMEOUT = (2.0, 15.0)  # seconds to connect, to read
RETRIES = 1  # the SDK's own, a second later
NOT_ABOUT_THE_FILE = {401, 403, 408, 429}  # keys that have just run out, a clock, too many at once: later it may work


class UploadForm(Struct, frozen=True):
    """Where a phone posts a file (multipart/form-data), and the fields that go before it."""

    url: str
    fields: dict[str, str]


class TooLong(Exception):
    """A file is longer than asked for."""


def put(key: str, content: bytes | BinaryIO, *, content_type: str) -> None:
    """Store a file under ``key``, as private as the bucket; one that is there is replaced.

    A stream must be one that can go back to its start.

    Raises Rejected (NoSuchBucket, EntityTooLarge, …), Unanswered.
    """
    from qcloud_cos import CosClientError, CosServiceError

    try:
        _client().put_object(Bucket=config().cos_bucket, Key=key, Body=content, ContentType=content_type,
                             ServerSideEncryption="AES256")
    except CosServiceError as error:
        raise _outcome(error) from None
    except CosClientError as error:
        raise _silence(error) from None


def get(key: str, *, at_most: int) -> bytes | None:
    """A file's content; None when there is none. Raises TooLong (more than ``at_most`` bytes), Rejected, Unanswered."""
    import requests
    from qcloud_cos import CosClientError, CosServiceError
    from urllib3.exceptions import HTTPError

    try:
        answer = _client().get_object(Bucket=config().cos_bucket, Key=key)
        stream = answer["Body"].get_raw_stream()
        content: bytes = stream.read(at_most + 1)
        whole = len(content) > at_most or not stream.length_remaining
    except CosServiceError as error:
        if error.get_status_code() == 404 and error.get_error_code() != "NoSuchBucket":
            return None
        raise _outcome(error) from None
    except CosClientError as error:
        raise _silence(error) from None
    except (requests.RequestException, HTTPError, OSError):  # it broke off on the way
        raise Unanswered("cos: no answer") from None
    if "ETag" not in answer:  # of an object: somebody else has answered
        raise Unanswered("cos: an answer that is no file's")
    if len(content) > at_most:
        raise TooLong
    if not whole:
        raise Unanswered("cos: the answer broke off")
    return content


def upload_form(key: str, *, content_type: str, at_most: int, seconds: int, now: datetime) -> UploadForm:
    """What lets whoever has it upload one file of a type and of 1 to ``at_most`` bytes under ``key``, for some seconds.

    COS itself refuses another key, type or size (POST Object with a policy). It ends sooner when the function's
    temporary keys do. WeChat's ``uploadFile`` can do no other request, and tells how far it is.
    """
    settings, starts = config(), int(now.timestamp())
    secret_id, secret_key = os.environ.get("TENCENTCLOUD_SECRETID", ""), os.environ.get("TENCENTCLOUD_SECRETKEY", "")
    period = f"{starts};{starts + seconds}"
    ends = (now + timedelta(seconds=seconds)).astimezone(timezone.utc)
    policy = json.dumps({"expiration": f"{ends:%Y-%m-%dT%H:%M:%S.000Z}", "conditions": [
        {"bucket": settings.cos_bucket}, {"key": key}, {"Content-Type": content_type},
        ["content-length-range", 1, at_most],
        {"q-sign-algorithm": "sha1"}, {"q-ak": secret_id}, {"q-sign-time": period}]})
    sign_key = hmac.new(secret_key.encode(), period.encode(), hashlib.sha1).hexdigest()
    digest = hashlib.sha1(policy.encode()).hexdigest()  # noqa: S324 - COS's signature is of SHA-1
    signature = hmac.new(sign_key.encode(), digest.encode(), hashlib.sha1).hexdigest()
    fields = {"key": key, "Content-Type": content_type, "success_action_status": "204",
              "x-cos-server-side-encryption": "AES256", "policy": base64.b64encode(policy.encode()).decode(),
              "q-sign-algorithm": "sha1", "q-ak": secret_id, "q-key-time": period, "q-signature": signature}
    token = os.environ.get("TENCENTCLOUD_SESSIONTOKEN", "")
    if token:
        fields["x-cos-security-token"] = token
    return UploadForm(str(_client().get_conf().uri(bucket=settings.cos_bucket)), fields)


def exists(key: str) -> bool:
    """Whether a file stands under ``key``. Raises Rejected, Unanswered."""
    from qcloud_cos import CosClientError, CosServiceError

    try:
        _client().head_object(Bucket=config().cos_bucket, Key=key)
    except CosServiceError as error:
        if error.get_status_code() == 404:
            return False
        raise _outcome(error) from None
    except CosClientError as error:
        raise _silence(error) from None
    return True


def remove(key: str) -> None:
    """Delete a file; one that is not there is deleted as well. Raises Rejected, Unanswered."""
    from qcloud_cos import CosClientError, CosServiceError

    try:
        _client().delete_object(Bucket=config().cos_bucket, Key=key)
    except CosServiceError as error:
        raise _outcome(error) from None
    except CosClientError as error:
        raise _silence(error) from None


def link(key: str, *, seconds: int, filename: str) -> str:
    """An address that gives the file to whoever has it, named ``filename``, for some seconds; nobody is asked.

    It ends sooner when the function's temporary keys do.
    """
    # Names and values of the query are signed. No blank: COS and the SDK write it differently in a query.
    signed = {"response-content-disposition": f"attachment;filename*=UTF-8''{quote(filename, safe='')}"}
    token = os.environ.get("TENCENTCLOUD_SESSIONTOKEN", "")
    if token:
        signed["x-cos-security-token"] = token
    return str(_client().get_presigned_url(Bucket=config().cos_bucket, Key=key, Method="GET", Expired=seconds,
                                           Params=signed))


def _client() -> CosS3Client:
    return _client_for(os.environ.get("TENCENTCLOUD_SECRETID", ""), os.environ.get("TENCENTCLOUD_SECRETKEY", ""),
                       os.environ.get("TENCENTCLOUD_SESSIONTOKEN", ""))


@lru_cache(maxsize=2)
def _client_for(secret_id: str, key: str, token: str) -> CosS3Client:
    from qcloud_cos import CosConfig, CosS3Client

    logging.getLogger("qcloud_cos").setLevel(logging.CRITICAL)  # it writes keys, and links that open files
    settings = config()
    address = urlsplit(settings.cos_base)
    return CosS3Client(CosConfig(
        Region=settings.region, SecretId=secret_id, SecretKey=key, Token=token or None, Timeout=TIMEOUT,
        Scheme=address.scheme or None, Domain=f"{address.netloc}{address.path}" or None), retry=RETRIES)


def _outcome(error: CosServiceError) -> Rejected | Unanswered:
    status, refusal = error.get_status_code(), error.get_digest_msg()
    code = str(refusal.get("code", "")) if isinstance(refusal, dict) else ""
    if status >= 500 or status in NOT_ABOUT_THE_FILE or not code:
        return Unanswered(f"cos: status {status} {code}")
    return Rejected(code, str(refusal.get("message", "")))


def _silence(error: Exception) -> Unanswered:
    # The SDK keeps only the text of what went wrong.
    return Unanswered("cos: no answer", sent="NewConnectionError" not in str(error))
