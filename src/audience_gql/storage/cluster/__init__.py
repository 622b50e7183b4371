"""What a Citus cluster needs in place of one machine: distributed tables, and locks at its coordinator."""
