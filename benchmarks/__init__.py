"""How fast the service is, as it is deployed: ./scripts/bench, described in docs/benchmarks."""
