"""What patients think: surveys (满意度) that lead to nobody, and complaints (投诉与建议) that are answered in time."""
