"""Registration (挂号): sessions and slots, taking a place, paying, confirming, cancelling."""
