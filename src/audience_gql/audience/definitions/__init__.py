"""Use cases for what a workspace defines: custom fields, groups and segments."""
