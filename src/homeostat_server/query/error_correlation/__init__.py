"""What broke and why: where harm begins, what sets harmed requests apart, ranked. docs/adr/0012 says how."""
