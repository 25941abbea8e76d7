"""A gateway whose worker processes only pretend to look at pictures: each takes a given time and sleeps.

With such workers two cores can show how several gateways share work, because only the gateways themselves compute. The
gateway is the real one. Nothing in the package ``gateway`` knows these workers, so no setting can switch them on.
"""
