"""How fast it is: each figure a ratio to a limit of the machine or to another program, in the same run."""
