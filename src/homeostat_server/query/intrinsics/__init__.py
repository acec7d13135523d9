"""What every span has beside its attributes, listed for who writes a query: names, roots, messages."""
