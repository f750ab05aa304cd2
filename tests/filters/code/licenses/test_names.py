"""Names of files that hold licences."""

from filters.code.licenses import is_license_document, is_license_file
from filters.code.licenses.names import is_license_of_folder, licensed_prefix, sidecar_of
from tests.tables import results

test_licence_files = results(
    is_license_file,
    {
        "LICENSE": True,
        "license.txt": True,
        "LICENCE.md": True,
        "LICENSE-MIT": True,
        "MIT-LICENSE.txt": True,
        "COPYING": True,
        "COPYING.LESSER": True,
        "UNLICENSE": True,
        "LICENSE-3RD-PARTY.txt": False,
        "LICENSES_bundled.txt": False,
        "license.py": False,
        "licenses.json.gz": False,
        "license_header.txt": False,
        "README.md": False,
        "relicensed.txt": False,
        "tide.py.license": False,
    },
)


test_files_that_are_a_licence_and_nothing_else = results(
    is_license_document,
    {
        "LICENSE.md": True,
        "docs/COPYING.html": True,
        "MIT-LICENSE.txt": True,
        "LICENSE-APACHE-2.0.md": True,
        "NOTICE.md": True,
        "LICENSES/MIT.txt": True,
        "License.java": False,
        "license-server.md": False,
        "docs/licensing.rst": False,
        "copyright_law.md": False,
    },
)


def test_licences_of_folders_and_of_single_files():
    assert [
        is_license_of_folder(name) for name in ("LICENSE.txt", "COPYING", "bell_LICENSE.txt", "license_keys.txt")
    ] == [
        True,
        True,
        False,
        False,
    ]
    assert [licensed_prefix(name) for name in ("Bell_LICENSE.txt", "bell.js.LICENSE", "LICENSE", "MIT-LICENSE")] == [
        "bell",
        "bell.js",
        None,
        None,
    ]
    assert [sidecar_of(path) for path in ("a/b.py.license", "a.license")] == ["a/b.py", None]
