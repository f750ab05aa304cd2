"""Raw files in their publishers' formats, read record by record, whatever has happened to them."""
