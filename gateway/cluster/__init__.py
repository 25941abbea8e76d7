"""The place of this gateway among the replicas of a cluster: its lease, its cameras, the leadership.

``membership`` is the interface for the other packages. docs/design/cluster.md describes the rules.
"""
