"""What scores say: tests, the paper's tables, the effect of the exchange, claims, errata, sensitivity."""
