"""Accounts, patients (就诊人), who may act for whom, and their consents."""
