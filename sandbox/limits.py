"""What a process of the sandbox may use."""

from __future__ import annotations

import resource

FILES = 16_384  # a crowd of phones keeps its connections open; many systems allow 1024 unless asked


def allow_many_files() -> None:
    """Raise the soft limit of open files, for this process and those it starts, as far as the hard one allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
