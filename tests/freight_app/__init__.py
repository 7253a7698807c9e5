"""A freight forwarder's service, in memory: other conventions than the help desk, other leaks."""
