"""The hospital's own picture of itself: departments in two levels, doctors and how they are found."""
