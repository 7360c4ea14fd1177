"""The StackMFF V4 network: its modules, checkpoint keys, and evaluation in bounded memory."""
