"""COS on your desk: moto keeps the objects, a shim in front speaks COS and verifies its signature."""

from sandbox.cos.service import Cos

__all__ = ["Cos"]
