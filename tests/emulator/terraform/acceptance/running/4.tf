# Destroyed while it runs, without a stop, as all of the provider's tests end.
