"""What a workspace defines: fields, groups and segments, edited and deleted."""
