"""The province's fiscal e-bill platform (财政电子票据) for medical bills."""

from sandbox.ebill.system import EBill

__all__ = ["EBill"]
