"""The first layer's input: coordinates, how samples are held in them, and what makes both."""
