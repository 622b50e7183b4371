"""All definitions of a workspace as one set: told, planned and applied together, with names in place of ids."""
