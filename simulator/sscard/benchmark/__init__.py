"""Latency and throughput of operations under load: ``sscard bench``."""
