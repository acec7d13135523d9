"""What keeps this repository as its pages say it is: gates and generated pages. Not shipped."""
