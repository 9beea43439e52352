"""Steps: how a batch, or a sweep over all samples, changes the weights."""
