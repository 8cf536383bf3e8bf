"""Clients of the HTTP service: Python without dependencies, and a snippet for pages."""
