"""What the performance claims rest on; ``python -m benchmarks`` measures them."""
