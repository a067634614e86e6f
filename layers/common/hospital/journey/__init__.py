"""The visit as one timeline of what really happened, its next step first."""
