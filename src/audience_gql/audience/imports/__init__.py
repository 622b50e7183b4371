"""Imports of people from files: started, received, planned, written."""
