"""The operations of the gateway, the same for every interface."""
