"""The hospital information system (HIS) behind the contract in docs/his-contract.yaml."""

from sandbox.his.system import His

__all__ = ["His"]
