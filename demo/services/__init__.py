"""Three services of a seller of used cars: shop asks stock, and stock asks pricing.

They are instrumented with the stock OpenTelemetry SDK and know nothing of Homeostat: what they send goes where the
standard variables (`OTEL_…`) say.
"""
