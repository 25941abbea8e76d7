"""The MQTT side of a replica: shared requests, the frames of its own cameras, and the tasks of the leader.

docs/design/delivery.md describes the promise of a cluster, and the facts about brokers that it relies on.
"""
