"""No-shows (爽约): who came, how often somebody missed, and who may not book for a while."""
