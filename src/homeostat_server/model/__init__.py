"""Value types shared by all rooms: what things are called and when they are valid, never what is done with them."""
