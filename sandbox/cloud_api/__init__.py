"""The Tencent Cloud API on your desk: SCF ``Invoke`` and SSM ``GetSecretValue``, signatures verified."""

from sandbox.cloud_api.service import CloudApi

__all__ = ["CloudApi"]
