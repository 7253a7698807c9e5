"""A help desk for many orgs: clean by default, with one planted leak per mutant id."""
