"""Small transactional state (keys, later users, rules, dashboards): the only place that may import SQLAlchemy."""
