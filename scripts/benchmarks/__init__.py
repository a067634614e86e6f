"""The benchmarks of ``make bench``: one file each, every floor measured in the same run."""
