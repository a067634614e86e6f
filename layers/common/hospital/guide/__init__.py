"""Guidance (就诊指引): where, when, what to bring, which window; several examinations in the order that suits them."""
