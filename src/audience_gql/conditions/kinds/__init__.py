"""One file a kind of condition.

Add a file: nothing else needs to know (tests/conditions/cases holds its examples). Whoever imports one imports all, so that their
order is always the same: those that combine others, then file by file.
"""

from importlib import import_module
from pkgutil import iter_modules

for _name in sorted(
    (module.name for module in iter_modules(__path__)), key=lambda name: (name != "combinators", name)
):
    import_module(f"{__name__}.{_name}")
