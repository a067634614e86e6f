"""What is on sale (号源): sessions and their places as the HIS gives them, listing, taking a place, giving it back."""
