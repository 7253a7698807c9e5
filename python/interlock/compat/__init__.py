"""Bit-exact hashes of published functions, for matching rows keyed by them."""
