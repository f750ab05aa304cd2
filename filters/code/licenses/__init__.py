"""Licences: what texts, declarations and notices say as SPDX expressions, and whether that is allowed.

``gate`` judges; ``text`` reads licence files, ``notices`` the comments of source files, ``reuse`` REUSE's tables.
"""

from filters.code.licenses.gate import LicenseGate, Verdict
from filters.code.licenses.names import MAX_LICENSE_BYTES, is_license_document, is_license_file
from filters.code.licenses.spdx import ALLOWED, UNRECOGNIZED
from filters.code.licenses.text import LicenseText

__all__ = [
    "ALLOWED",
    "MAX_LICENSE_BYTES",
    "UNRECOGNIZED",
    "LicenseGate",
    "LicenseText",
    "Verdict",
    "is_license_document",
    "is_license_file",
]
