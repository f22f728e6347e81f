"""How many files this process, and the brokers that it starts, may open."""

import resource

import pytest


def allow_descriptors(count):
    """Lets this process and the brokers that it starts open so many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"the hard limit of open files is {hard}, {count} are needed: raise it with ulimit -Hn")
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
