"""What an operator types and sees: one file a command, no decisions."""

import gc

# A command makes some 100,000 objects before it begins, nearly all of them the code of libraries,
# which stay. Python would look through them 150 times for rings that nobody holds any more.
gc.set_threshold(200_000)
