"""Types of the hospital's own content."""

from __future__ import annotations

from typing import Literal

# What anybody may read before they sign in or agree: what the program does with what it is told, its terms, the
# hospital in words; and the texts that are consented to for each patient (``patients/model.py``).
PublicText = Literal["PRIVACY_POLICY", "USER_AGREEMENT", "ABOUT", "HEALTH_DATA", "CHILD_GUARDIAN"]
