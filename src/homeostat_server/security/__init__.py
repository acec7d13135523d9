"""Who is asking: keys, authentication, TLS. It decides who somebody is, never what the data is."""
