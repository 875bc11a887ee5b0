"""Run as `python -m tenantai`."""

from tenantai.cli import main

main()
