"""The dock *Correct*: painting the focus map."""
