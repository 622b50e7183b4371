"""The log of membership changes on its way to the clients, and how long it is kept. The way, in this order:

`feed` reads the log from a cursor on. `tails` read its end once for all listeners. A `broadcast` passes each batch to any number of
readers. `shared_execution` turns a batch into a result once for all equal subscriptions. `delivery` takes one client from its cursor
to the live results. GraphQL and sockets are given to this package as functions.
"""
