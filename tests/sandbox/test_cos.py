"""COS with its real SDK: every call that the hospital makes, and every way to be refused."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import requests
from flask import Flask
from qcloud_cos import CosConfig, CosS3Client, CosServiceError

from sandbox.clock import Clock
from sandbox.cos import Cos
from sandbox.faults import Fault, Faults
from sandbox.system import World

BUCKET = "hospital-1250000000"


class Desk:
    """The system, a client with the right keys, and its control interface."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.world = World(self.clock, Faults(), deque(maxlen=100))
        self.cos = Cos(self.world, secret_id="AKIDcos", secret_key="coskey", buckets=[BUCKET])
        self.address = self.cos.serve()
        self.client = self.connect()
        app = Flask("control")
        app.register_blueprint(self.cos.control, url_prefix="/cos")
        self.control = app.test_client()

    def connect(self, secret_id: str = "AKIDcos", secret_key: str = "coskey", bucket: str = BUCKET,
                **options: Any) -> CosS3Client:
        config = CosConfig(Region="ap-guangzhou", SecretId=secret_id, SecretKey=secret_key, Scheme="http",
                           Domain=f"{self.address[7:]}/{bucket}", **options)
        return CosS3Client(config, retry=0)

    def put(self, key: str, body: bytes = b"content", **fields: Any) -> Any:
        return self.client.put_object(Bucket=BUCKET, Key=key, Body=body, **fields)


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    yield Desk()


def refused(call: Any, **fields: Any) -> tuple[int, str]:
    with pytest.raises(CosServiceError) as error:
        call(**fields)
    return error.value.get_status_code(), error.value.get_error_code()


@pytest.mark.parametrize("key", ["plain.txt", "票据/电子 票据+1.pdf", "a//b/../c&d=e?.txt", "/leading.txt"])
def test_object_comes_back_as_it_was_put(desk: Desk, key: str) -> None:
    desk.put(key, "内容".encode(), ContentType="text/plain", Metadata={"x-cos-meta-order": "o-1"})
    assert desk.world.journal[-1]["operation"] == "put_object"
    answer = desk.client.get_object(Bucket=BUCKET, Key=key, KeySimplifyCheck=False)
    assert answer["Body"].get_raw_stream().read() == "内容".encode()
    assert answer["Content-Type"].startswith("text/plain") and answer["x-cos-meta-order"] == "o-1"
    head = desk.client.head_object(Bucket=BUCKET, Key=key)
    assert head["Content-Length"] == "6" and "x-cos-request-id" in head
    desk.client.delete_object(Bucket=BUCKET, Key=key)
    gone = refused(desk.client.get_object, Bucket=BUCKET, Key=key, KeySimplifyCheck=False)
    assert gone == (404, "NoSuchKey")
    assert refused(desk.client.head_object, Bucket=BUCKET, Key=key)[0] == 404


def test_a_range_is_part_of_the_object(desk: Desk) -> None:
    desk.put("range", b"0123456789")
    answer = desk.client.get_object(Bucket=BUCKET, Key="range", Range="bytes=2-4")
    assert answer["Body"].get_raw_stream().read() == b"234" and answer["Content-Range"] == "bytes 2-4/10"


def test_objects_are_listed_by_prefix_in_pages_and_deleted_together(desk: Desk) -> None:
    for number in range(3):
        desk.put(f"list/{number}")
    first = desk.client.list_objects(Bucket=BUCKET, Prefix="list/", MaxKeys=2)
    assert [item["Key"] for item in first["Contents"]] == ["list/0", "list/1"]
    assert first["IsTruncated"] == "true"
    rest = desk.client.list_objects(Bucket=BUCKET, Prefix="list/", Marker=first["NextMarker"])
    assert [item["Key"] for item in rest["Contents"]] == ["list/2"]
    desk.client.delete_objects(Bucket=BUCKET, Delete={"Object": [{"Key": f"list/{n}"} for n in range(3)]})
    assert "Contents" not in desk.client.list_objects(Bucket=BUCKET, Prefix="list/")


def test_copy_keeps_the_content(desk: Desk) -> None:
    desk.put("copy/源", b"same")
    desk.client.copy_object(Bucket=BUCKET, Key="copy/to", CopySource={
        "Bucket": BUCKET, "Key": "copy/源", "Region": "ap-guangzhou"})
    assert desk.world.journal[-1]["operation"] == "copy_object"
    assert desk.client.get_object(Bucket=BUCKET, Key="copy/to")["Body"].get_raw_stream().read() == b"same"


def test_multipart_upload_of_parts_of_a_megabyte(desk: Desk) -> None:
    upload = desk.client.create_multipart_upload(Bucket=BUCKET, Key="big")["UploadId"]
    parts = [desk.client.upload_part(Bucket=BUCKET, Key="big", Body=body, PartNumber=number, UploadId=upload)
             for number, body in ((1, b"a" * 1024 * 1024), (2, b"b"))]
    assert len(desk.client.list_parts(Bucket=BUCKET, Key="big", UploadId=upload)["Part"]) == 2
    desk.client.complete_multipart_upload(Bucket=BUCKET, Key="big", UploadId=upload, MultipartUpload={
        "Part": [{"PartNumber": number, "ETag": part["ETag"]} for number, part in enumerate(parts, 1)]})
    assert desk.client.head_object(Bucket=BUCKET, Key="big")["Content-Length"] == str(1024 * 1024 + 1)
    seen = [line["operation"] for line in desk.world.journal][-6:-1]
    assert seen == ["create_multipart_upload", "upload_part", "upload_part", "list_parts",
                    "complete_multipart_upload"]
    again = desk.client.create_multipart_upload(Bucket=BUCKET, Key="big2")["UploadId"]
    desk.client.abort_multipart_upload(Bucket=BUCKET, Key="big2", UploadId=again)


def test_only_public_objects_are_read_without_a_signature(desk: Desk) -> None:
    desk.put("acl")
    url = f"{desk.address}/{BUCKET}/acl"
    assert desk.client.get_object_acl(Bucket=BUCKET, Key="acl")["CannedACL"] == "private"
    assert requests.get(url, timeout=10).status_code == 403
    desk.client.put_object_acl(Bucket=BUCKET, Key="acl", ACL="public-read")
    assert desk.client.get_object_acl(Bucket=BUCKET, Key="acl")["CannedACL"] == "public-read"
    assert requests.get(url, timeout=10).content == b"content"
    assert requests.put(url, data=b"x", timeout=10).status_code == 403
    assert requests.put(f"{desk.address}/{BUCKET}/new", data=b"x", timeout=10).status_code == 403


def test_presigned_urls_work_for_their_method_path_and_time_only(desk: Desk) -> None:
    put = desk.client.get_presigned_url(Bucket=BUCKET, Key="signed/单.txt", Method="PUT", Expired=100)
    assert requests.put(put, data=b"by url", timeout=10).status_code == 200
    get = desk.client.get_presigned_url(Bucket=BUCKET, Key="signed/单.txt", Method="GET", Expired=100,
                                        Params={"response-content-type": "text/html"})
    answer = requests.get(get, timeout=10)
    assert answer.content == b"by url" and answer.headers["Content-Type"].startswith("text/html")
    assert requests.put(get, data=b"x", timeout=10).status_code == 403
    assert requests.get(get.replace("signed/", "other/"), timeout=10).status_code == 403
    assert requests.get(get.replace("text%2Fhtml", "text%2Fplain"), timeout=10).status_code == 403
    desk.clock.advance(timedelta(seconds=101))
    try:
        expired = requests.get(get, timeout=10)
        assert expired.status_code == 403 and "<Message>Request has expired</Message>" in expired.text
    finally:
        desk.clock.advance(timedelta(seconds=-101))


def test_wrong_keys_and_tampered_requests_are_refused(desk: Desk) -> None:
    desk.put("mine")
    get = {"Bucket": BUCKET, "Key": "mine"}
    assert refused(desk.connect(secret_key="wrong").get_object, **get) == (403, "SignatureDoesNotMatch")
    assert refused(desk.connect(secret_id="AKIDother").get_object, **get) == (403, "InvalidAccessKeyId")
    mark = desk.client.get_auth(Method="GET", Bucket=BUCKET, Key="mine", Headers={"range": "bytes=0-1"})
    url = f"{desk.address}/{BUCKET}/mine"

    def status(address: str, **headers: str) -> int:
        return requests.get(address, headers={"Authorization": mark, **headers}, timeout=10).status_code

    assert status(url, range="bytes=0-1") == 206
    assert status(url, range="bytes=0-3") == status(url) == status(url + "2", range="bytes=0-1") == 403
    broken = {"Authorization": "q-sign-algorithm=sha1"}
    assert requests.get(url, headers=broken, timeout=10).status_code == 403
    desk.clock.advance(timedelta(hours=5))
    try:
        assert refused(desk.client.get_object, **get) == (403, "AccessDenied")
    finally:
        desk.clock.advance(timedelta(hours=-5))


def test_buckets_are_there_when_made_and_belong_to_the_account(desk: Desk) -> None:
    other = desk.connect(bucket="other-1250000000")
    assert refused(other.put_object, Bucket="other-1250000000", Key="k", Body=b"x") == (404, "NoSuchBucket")
    assert desk.control.put("/cos/buckets/other-1250000000").status_code == 200
    other.put_object(Bucket="other-1250000000", Key="k", Body=b"xyz")
    assert desk.control.get("/cos/objects?bucket=other-1250000000").get_json() == {
        "objects": [{"key": "k", "size": 3}]}
    assert desk.control.get("/cos/objects?bucket=none").status_code == 404
    assert desk.control.get("/cos/objects/k?bucket=other-1250000000").data == b"xyz"
    assert desk.control.get("/cos/objects/other?bucket=other-1250000000").status_code == 404
    assert desk.control.get("/cos/objects/k?bucket=none").status_code == 404
    assert desk.control.put("/cos/buckets/other-99").status_code == 400
    assert requests.get(desk.address, timeout=10).status_code == 501


def test_temporary_keys_need_their_token() -> None:
    world = World(Clock(), Faults(), deque())
    cos = Cos(world, secret_id="AKIDcos", secret_key="coskey", token="t", buckets=[BUCKET])
    address = cos.serve()

    def client(**options: Any) -> CosS3Client:
        config = CosConfig(Region="ap-guangzhou", SecretId="AKIDcos", SecretKey="coskey", Scheme="http",
                           Domain=f"{address[7:]}/{BUCKET}", **options)
        return CosS3Client(config, retry=0)

    client(Token="t").put_object(Bucket=BUCKET, Key="k", Body=b"x")
    assert refused(client(Token="old").get_object, Bucket=BUCKET, Key="k") == (403, "InvalidAccessKeyId")
    assert refused(client().get_object, Bucket=BUCKET, Key="k") == (403, "InvalidAccessKeyId")


def test_faults_strike_by_operation_in_coss_own_form(desk: Desk) -> None:
    desk.world.faults.add(Fault("cos", "put_object", "refuse", params={"code": "SlowDown", "status": 429}))
    assert refused(desk.put, key="fault") == (429, "SlowDown")
    desk.world.faults.add(Fault("cos", "put_object", "cut_after"))
    with pytest.raises(Exception, match="Remote end closed"):
        desk.put("fault")
    assert desk.client.head_object(Bucket=BUCKET, Key="fault")["Content-Length"] == "7"


def test_objects_are_dated_by_the_sandboxs_clock(desk: Desk) -> None:
    desk.put("dated")
    listed = desk.client.list_objects(Bucket=BUCKET, Prefix="dated")["Contents"][0]["LastModified"]
    written = datetime.strptime(listed, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    assert abs(desk.clock.now() - written) < timedelta(seconds=5)
