"""Questions about which metrics and series there are and what they last said. It knows no HTTP and no PromQL."""
