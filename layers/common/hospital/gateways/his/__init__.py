"""The hospital information system (HIS), by the contract in ``docs/his-contract.yaml``: a file a subject."""
