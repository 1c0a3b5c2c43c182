"""The territory: places, bodies, practices, and what one may ask of them."""
