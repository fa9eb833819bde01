"""The colours that the original reduces option values to."""

_BY_ALPHABET = """
    alabaster apricot aqua ash asphalt azure banana beige black blue blush bordeaux bronze brown
    burgundy camel camo caramel champagne charcoal cheetah chestnut chocolate christmas coffee
    cognac copper coral cranberry cream crystal dark denim eggplant elephant espresso fuchsia
    gold granite grape graphite grass gray green grey heather indigo ivory ivy khaki lavender
    lemon leopard light lilac lime magenta maroon mauve merlot midnight mint mocha multicolor
    mushroom mustard natural navy nude olive orange peach pewter pink plum purple rainbow red
    rose royal rust sand sapphire seashell silver skull slate steel stone stonewash sunflower
    tan taupe teal tiger turquoise violet walnut wheat white wine yellow
"""
COLOURS = tuple(_BY_ALPHABET.split())


def basic(option: str | tuple[str, str]) -> str | tuple[str, str]:
    """The first colour, by alphabet, that ``option`` contains; ``option`` itself without one.

    A phrase contains a colour as a part of its letters, "dark heather" as well as "tired". A pair
    contains only what equals its name or its value, which is how the original's goals behave.
    """
    return next((colour for colour in COLOURS if colour in option), option)
