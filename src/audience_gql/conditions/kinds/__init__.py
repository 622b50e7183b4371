"""The kinds of condition, one file each.

To add a kind, add a file here and its examples in tests/conditions/cases. Importing one kind imports all, so that their order is
always the same: the combinators, then file by file.
"""

from importlib import import_module
from pkgutil import iter_modules

for _name in sorted(
    (module.name for module in iter_modules(__path__)), key=lambda name: (name != "combinators", name)
):
    import_module(f"{__name__}.{_name}")
