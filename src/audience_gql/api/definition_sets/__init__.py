"""All definitions of a workspace as one set: the query, the plan and the mutation."""
