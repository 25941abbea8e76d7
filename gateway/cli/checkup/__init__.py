"""The checks of ``facegate doctor``, one module for each part of a gateway. Each check yields findings."""
