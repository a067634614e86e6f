"""Fiscal medical e-bills (财政电子票据), one live bill for what the HIS has settled and kept."""
