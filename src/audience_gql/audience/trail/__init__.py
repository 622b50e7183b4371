"""Who changed which definition: the entries of the audit trail, and what they tell."""
