"""Families of speech encoders, one module each; every module in this folder is imported, and its family known."""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
