"""The search for the patch that made a difference: questions asked of states, and which to ask next."""
