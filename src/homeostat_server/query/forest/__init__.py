"""Many traces at once as arrays: who called whom, when by one clock, and what their time went to."""
